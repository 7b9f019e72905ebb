// The Chinese of the settings.

import type { Table } from './table.ts'

/** What is wrong with a setting, a scope or a target. */
// biome-ignore format: a table, one row a line
export const SETTINGS: Table = {
  'Correct them in the "env" block of the MCP client (or in the shell) and restart the server': '请在 MCP 客户端的 "env" 中（或在 shell 中）修正，然后重启服务',
  // biome-ignore lint/suspicious/noTemplateCurlyInString: this is what the reference looks like
  '{name} holds a reference (${…}, $NAME or %NAME%) that the client did not replace: write the value itself (in an address %24 for $), or remove it': '{name} 中有客户端未替换的引用（${…}、$NAME 或 %NAME%）：请直接填写值（地址中的 $ 写作 %24），或删除该项',
  '{name} must be one of {values}': '{name} 只能是 {values} 之一',
  '{name} must be true or false': '{name} 只能是 true 或 false',
  '{name} must be an http or https address without a user name or fragment': '{name} 必须是 http 或 https 地址，且不含用户名和片段',
  '{name} must be https: plain http is for localhost alone': '{name} 必须使用 https：明文 http 仅限 localhost',
  '{name} must be an origin, such as https://open.feishu.cn, without a path': '{name} 必须是不带路径的源地址，例如 https://open.feishu.cn',
  'FEISHU_APP_SECRET is set without FEISHU_APP_ID: set both': '设置了 FEISHU_APP_SECRET 但没有 FEISHU_APP_ID：两者须同时设置',
  'FEISHU_APP_ID is set without FEISHU_APP_SECRET (or FEISHU_APP_SECRET_FILE): set both': '设置了 FEISHU_APP_ID 但没有 FEISHU_APP_SECRET（或 FEISHU_APP_SECRET_FILE）：两者须同时设置',
  'FEISHU_APP_ID must be the App ID of your Feishu app, such as cli_a1b2c3d4e5f6': 'FEISHU_APP_ID 必须是你的飞书应用的 App ID，例如 cli_a1b2c3d4e5f6',
  'FEISHU_CALLBACK_LISTEN must be a loopback host and port, such as 127.0.0.1:9000': 'FEISHU_CALLBACK_LISTEN 必须是本机回环地址和端口，例如 127.0.0.1:9000',
  'FEISHU_REDIRECT_URI must name the port that is registered, not 0': 'FEISHU_REDIRECT_URI 必须写明已登记的端口，不能是 0',
  'FEISHU_TLS_CERT_FILE is set, so FEISHU_REDIRECT_URI must be https': '设置了 FEISHU_TLS_CERT_FILE，因此 FEISHU_REDIRECT_URI 必须是 https',
  'FEISHU_REDIRECT_URI is https: set FEISHU_CALLBACK_LISTEN (a proxy or tunnel ends TLS), or, for a loopback address, FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE': 'FEISHU_REDIRECT_URI 是 https：请设置 FEISHU_CALLBACK_LISTEN（由代理或隧道终结 TLS）；如为回环地址，也可设置 FEISHU_TLS_CERT_FILE 和 FEISHU_TLS_KEY_FILE',
  'FEISHU_TLS_CERT_FILE and FEISHU_TLS_KEY_FILE: set both': 'FEISHU_TLS_CERT_FILE 和 FEISHU_TLS_KEY_FILE 须同时设置',
  'FEISHU_TOKEN_KEY must be 32 bytes in base64; `openssl rand -base64 32` makes one': 'FEISHU_TOKEN_KEY 必须是 base64 编码的 32 字节；可用 `openssl rand -base64 32` 生成',
  'FEISHU_REFRESH_MARGIN must be a whole number of seconds from 0 to 3600': 'FEISHU_REFRESH_MARGIN 必须是 0 到 3600 之间的整数秒数',
  'FEISHU_TOKEN_DIR must be an absolute path: there is no home directory': 'FEISHU_TOKEN_DIR 必须是绝对路径：当前没有用户主目录',
  'FEISHU_PROFILE must be 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first': 'FEISHU_PROFILE 须为 1 至 64 个字符，只能使用 a-z、0-9、“.”、“_”和“-”，以字母或数字开头',
  'FEISHU_APP_SECRET_FILE ({path}) cannot be read ({errno})': '无法读取 FEISHU_APP_SECRET_FILE（{path}）（{errno}）',
  'FEISHU_APP_SECRET_FILE ({path}) is empty': 'FEISHU_APP_SECRET_FILE（{path}）是空文件',
  'FEISHU_APP_SECRET is no App Secret: {problem}': 'FEISHU_APP_SECRET 的值不是 App Secret：{problem}',
  'FEISHU_APP_SECRET_FILE ({file}) holds no App Secret: {problem}': 'FEISHU_APP_SECRET_FILE（{file}）中的内容不是 App Secret：{problem}',
  'Set FEISHU_APP_SECRET_FILE to a file that holds the App Secret': '请将 FEISHU_APP_SECRET_FILE 设为存有 App Secret 的文件',
  'No Feishu app is configured: App ID and App Secret are missing': '尚未配置飞书应用：缺少 App ID 和 App Secret',
  'Set {setting} to a file in PEM form that this program can read': '请将 {setting} 设为本程序可以读取的 PEM 格式文件',
  // Scopes
  '{n} scopes are too many: Feishu takes {most}': '请求的权限过多（{n} 个）：飞书最多接受 {most} 个',
  'Ask for fewer scopes; grants add up, so a second authorization can ask for the rest': '请减少所请求的权限；授权会累加，其余权限可在下一次授权时请求',
  'The scope {scope} does not exist: did you mean {right}?': '权限 {scope} 不存在：是否想用 {right}？',
  'the scopes of start_authorization': 'start_authorization 的 scopes',
  'Use {scope} in FEISHU_SCOPES or in {given}': '请在 FEISHU_SCOPES 或 {given} 中使用 {scope}',
  'The scope {scope} is held by apps only, never by a person': '权限 {scope} 只属于应用身份，用户无法授予',
  'Use {scope} instead': '请改用 {scope}',
  '{scope} is not a scope name (they look like docx:document:readonly)': '{scope} 不是权限名（权限名形如 docx:document:readonly）',
  'Correct the scopes: names as in the developer console, separated by spaces': '请修正权限列表：使用开发者后台中的名称，以空格分隔',
  // Targets
  'Correct FEISHU_DELIVER_TO': '请修正 FEISHU_DELIVER_TO',
  'FEISHU_DELIVER_TO: {targets} is not a target of a known form ({kinds})': 'FEISHU_DELIVER_TO：{targets} 不是已知形式的分发目标（{kinds}）',
  'FEISHU_DELIVER_TO: {targets} are not targets of a known form ({kinds})': 'FEISHU_DELIVER_TO：{targets} 不是已知形式的分发目标（{kinds}）',
  'FEISHU_DELIVER_TO: {targets} is in FEISHU_TOKEN_DIR, which is only for this program': 'FEISHU_DELIVER_TO：{targets} 位于 FEISHU_TOKEN_DIR 中，该目录仅供本程序使用',
  'Name a file elsewhere in FEISHU_DELIVER_TO': '请在 FEISHU_DELIVER_TO 中指定别处的文件',
  'FEISHU_DELIVER_TO: there is no home directory for {targets}': 'FEISHU_DELIVER_TO：{targets} 需要主目录，但没有主目录',
  'Set HOME, or name the files with their whole paths': '请设置 HOME，或写出文件的完整路径',
  'Copy App ID and App Secret again from {open}/app/{app_id}/baseinfo': '请从 {open}/app/{app_id}/baseinfo 重新复制 App ID 和 App Secret',
  'NODE_TLS_REJECT_UNAUTHORIZED=0 switches the check of TLS certificates off: anyone in between can take the token. Remove it, and set NODE_EXTRA_CA_CERTS if a proxy needs its own certificate authority': 'NODE_TLS_REJECT_UNAUTHORIZED=0 关闭了 TLS 证书校验：网络中间的任何人都可能窃取凭证。请删除该设置；如代理需要自己的 CA，请设置 NODE_EXTRA_CA_CERTS',
  'FEISHU_TOKEN_DIR is relative: a client that starts us in another folder finds another store. Make it absolute': 'FEISHU_TOKEN_DIR 是相对路径：客户端若从其他目录启动本程序，使用的就是另一个存储。请改为绝对路径',
  'The settings are not usable: {series}': '设置无法使用：{series}',
  'FEISHU_TOKEN_DIR is outside your own folder, and others may have rights in it. Close it: {reset}, then {close}': 'FEISHU_TOKEN_DIR 不在你的用户目录中，其他用户可能有权访问。请收回这些权限：先运行 {reset}，再运行 {close}',
  "{name} names {host}, which is not one of Feishu's hosts: it gets the App Secret and the tokens. Remove it unless that is your own deployment": '{name} 指向 {host}，它不是飞书的主机：App Secret 和凭证都会发给它。除非那是你自己的私有部署，否则请移除该设置',
}
