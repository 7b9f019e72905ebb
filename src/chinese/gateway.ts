// The Chinese of the gateways.

import type { Table } from './table.ts'

/** What the standing gateway and `headers` say. */
// biome-ignore format: a table, one row a line
export const GATEWAY: Table = {
  'gateway takes options alone, or `key new NAME`, `key list`, `key remove NAME`': 'gateway 只接选项，或后接 `key new NAME`、`key list`、`key remove NAME`',
  '--listen takes HOST:PORT, such as {example}': '--listen 的格式是 `主机:端口`，例如 {example}',
  '{host} can be reached from other machines, and anyone with a key acts as you: add --allow-network if you want that': '其他机器可以访问 {host}，持有密钥的人就能以你的身份操作：如果确实需要，请加上 --allow-network',
  'The gateway listens on {listening}: {open}/open-apis/… and {mcp}': '网关正在监听 {listening}：{open}/open-apis/… 和 {mcp}',
  'Other machines can reach it, unencrypted: anyone with a key acts as you': '其他机器可以访问它，且未加密：持有密钥的人就能以你的身份操作',
  'No program has a key yet: make one with `{command} gateway key new NAME{option}`': '还没有程序拥有密钥：请用 `{command} gateway key new 名称{option}` 生成',
  'This key is shown once: give it to {name} as `Authorization: Bearer KEY`': '密钥只显示这一次：请以 `Authorization: Bearer KEY` 的形式交给 {name}',
  'No program has a key': '还没有程序拥有密钥',
  '{name} has no key any more': '{name} 不再拥有密钥',
  'This command takes one address, or none': '此命令最多接受一个地址',
  'The keys of the gateway ({path}) cannot be read ({why})': '无法读取网关的密钥文件（{path}，{why}）',
  'Move the file away and make new keys': '请移走该文件，重新生成密钥',
  'Another process is changing the keys of the gateway': '另一个进程正在修改网关的密钥',
  'Try again in a moment': '请稍后重试',
  'A key name has 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first': '密钥名须为 1 至 64 个字符，只能使用 a-z、0-9、“.”、“_”和“-”，以字母或数字开头',
  'Choose such a name': '请另取符合要求的名称',
  'There is a key {name} already': '已经有名为 {name} 的密钥',
  'Choose another name, or run `{command} gateway key remove {key}{option}` first': '请另取名称，或先运行 `{command} gateway key remove {key}{option}`',
  'There is no key {name}': '没有名为 {name} 的密钥',
  'See `{command} gateway key list{option}`': '请查看 `{command} gateway key list{option}`',
  'Nothing can listen on {host} port {port} ({code})': '无法在 {host} 的端口 {port} 上监听（{code}）',
  'Name another address with --listen HOST:PORT, or end what listens there': '请用 --listen 主机:端口 指定其他地址，或结束占用该端口的程序',
  'The address must be https (http on this machine alone), without a user name or fragment': '地址必须是 https（只有本机可以用 http），且不含用户名和片段',
  "Give such an address, or none for Feishu's hosted MCP server": '请给出这样的地址；不写则使用飞书托管的 MCP 服务',
  "{host} gets no token: it is not one of Feishu's hosts": '不会把凭证交给 {host}：它不是飞书的主机',
  'If it is your own MCP server, name it in FEISHU_MCP_URL': '如果它是你自己的 MCP 服务，请在 FEISHU_MCP_URL 中填写',
  'The token is due and was not refreshed; it is still valid. {said}': '凭证已到刷新时间，但未能刷新；目前仍然有效。{said}',
  'a request was not sent: {reason}': '一个请求未发送：{reason}',
  'refused a request: {reason}': '拒绝了一个请求：{reason}',
  'Feishu refused the access token ({code}); it has been renewed': '飞书拒绝了访问凭证（{code}）；已将其刷新',
}
