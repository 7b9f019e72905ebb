// The Chinese of `connect`.

import type { Table } from './table.ts'

/** What `connect` says, and the presets of scopes that come with it. */
// biome-ignore format: a table, one row a line
export const CONNECT: Table = {
  'There is no scope preset {preset}': '没有名为 {preset} 的权限预设',
  'Use {presets}, or scopes as in the developer console': '请使用 {presets}，或按开发者后台中的写法填写权限',
  // The command line
  '--tools names tools, separated by commas': '--tools 须列出工具名，以逗号分隔',
  'connect takes one address': 'connect 只接受一个地址',
  '--for and --env are for a program: connect -- CMD …': '--for 和 --env 用于程序：connect -- CMD …',
  'connect needs a program behind --: connect -- CMD …': 'connect 的 -- 后面要写程序：connect -- CMD …',
  'connect takes an address or a program, not both': 'connect 后面写地址或程序，不能都写',
  '--header is for an address': '--header 用于地址',
  '--header takes NAME=VALUE in characters that a header may hold, and no header of the connection itself':
    '--header 的写法是 NAME=VALUE，只含请求头允许的字符（不含中文），且不能是连接自身的请求头',
  // The other server
  '{name} cannot be started ({errno})': '无法启动 {name}（{errno}）',
  'Correct the command behind "--" in the entry of the MCP client, then start the server again': '请更正 MCP 客户端条目中 "--" 之后的命令，然后重新启动服务',
  'The program behind these tools has ended ({code})': '提供这些工具的程序已退出（{code}）',
  'Call again: it will be restarted; what it wrote before it ended is on stderr': '请再次调用，程序会重新启动；它退出前的输出在标准错误中',
  'The connection to {host} broke off{why}': '与 {host} 的连接中断{why}',
  'Check the network, HTTPS_PROXY and NODE_EXTRA_CA_CERTS; see whether it was done before it is sent again': '请检查网络、HTTPS_PROXY 和 NODE_EXTRA_CA_CERTS；再次发送前请先确认是否已经执行',
  'The answer of {host} is not an MCP message': '{host} 的响应不是 MCP 消息',
  'Check the address, and whether a proxy answers in its place': '请检查地址，以及是否由代理代为响应',
  'The other server has said nothing for {n} s; the call was given up': '对方服务在 {n} 秒内没有响应；已放弃此次调用',
  'See whether it was done all the same before it is sent again': '再次发送前请先确认是否已经执行',
  '{host} does not know these tools: {names}': '{host} 没有这些工具：{names}',
  '{host} lists no tools although the token is valid: see whether the app may use it, and whether its tools have other names by now': '凭证有效，但 {host} 没有列出任何工具：请确认应用可以使用它，以及其工具是否已改名',
  'The tools of {host} are not listed yet: they come within seconds of a login. If this client does not show them then, start a new session in it': '{host} 的工具尚未列出：登录后几秒内就会出现。如果届时此客户端仍未显示，请在其中新开一个会话',
  "Feishu's tools: {names}": '飞书的工具：{names}',
  '{method} answered {code}': '{method} 返回 {code}',
  'It is tried again by itself': '程序会自动重试',
  'It says: "{said}"': '对方返回：“{said}”',
  'Call again in a minute': '请一分钟后再次调用',
  '{host} redirects to another address, which is not followed: the token would go there, too': '{host} 重定向到另一个地址，程序不会跟随：否则凭证也会发往那里',
  'Connect to the address itself': '请直接连接该地址',
  'Correct the arguments': '请更正参数',
  'Check the address, and whether the tool is still there': '请检查地址，以及该工具是否仍然存在',
  'See whether it was done all the same, then call again': '请先确认是否已经执行，再次调用',
  '{host} refuses the call: the token lacks {scopes}': '{host} 拒绝此次调用：凭证缺少权限 {scopes}',
  'Enable them for user identity at {url} , publish a version (版本管理与发布), then {call}': '请在 {url} 开通对应的用户身份权限，创建版本并发布，然后运行 {call}',
  '{host} wants a credential, and gets none from here': '{host} 需要凭证，而此处没有提供',
  'Name the header that it reads with --header NAME=VALUE; {token} in VALUE is the access token': '请用 --header NAME=VALUE 指定它读取的请求头；VALUE 中的 {token} 是访问凭证',
  'the list was not kept: {error}': '工具列表未能保存：{error}',
  '{host} limits how often it is called.{said}': '{host} 限制调用频率。{said}',
  '{host} cannot serve at the moment ({status}).{said}': '{host} 暂时无法提供服务（{status}）。{said}',
  '{host} has failed ({number}).{said}': '{host} 发生错误（{number}）。{said}',
  '{host} does not accept what the call gave.{said}': '{host} 不接受此次调用的参数。{said}',
  '{host} did not understand the call ({number}).{said}': '{host} 无法理解此次调用（{number}）。{said}',
  '{host} refuses a token that was just renewed.{said}': '{host} 拒绝了刚刚刷新的凭证。{said}',
  '--header {name} holds {{shown}}, which means nothing here; use {token}': '--header {name} 中的 {{shown}} 无法识别；可用的是 {token}',
}
