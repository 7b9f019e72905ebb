// The Chinese of `setup --adopt`.

import type { Table } from './table.ts'

/** Entries of clients that hold a token, and what becomes of them. */
// biome-ignore format: a table, one row a line
export const ADOPT: Table = {
  'only turn entries of your clients that hold a token into connect, each after a yes': '只把客户端中含有凭证的条目改为 connect，逐条询问',
  'with --adopt: yes to all of them': '与 --adopt 同用：全部同意',
  '--yes is for --adopt': '--yes 只用于 --adopt',
  '--adopt takes no --{option}': '--adopt 不能与 --{option} 同时使用',
  'No entry of an MCP client was found that holds a Feishu token': '没有找到含飞书凭证的 MCP 客户端条目',
  'Nothing was changed: run `{command} setup --adopt{option}` at a terminal, or with --yes to change them all': '没有改动任何内容：请在终端中运行 `{command} setup --adopt{option}`，或加上 --yes 全部改动',
  '{client}: {path} is left alone, whatever its entries hold: {why}': '{client}：{path} 保持不变，无论其中有什么条目：{why}',
  '{client}: {path}: "{entry}" holds a Feishu token': '{client}：{path} 中的条目“{entry}”含有飞书凭证',
  'Not changed: {why}': '未改动：{why}',
  'It was left alone: {why}': '未作改动：{why}',
  'What looks like a secret of another service would be in the argument list, which other users of this machine can read: {names}': '以下内容像是其他服务的密钥，将出现在命令行参数中，本机的其他用户可以读到：{names}',
  'whether that may be is for a person to say': '是否可以这样做，需要由你决定',
  'Change this entry of {client} into connect?': '将 {client} 的这个条目改为 connect 吗？',
  Changed: '已改动',
  'What stood there is kept, without the secrets, in {path}: to take the change back, put that entry in its place again': '原来的内容（不含密钥）保存在 {path}：若要撤销改动，请把其中的条目放回原处',
  'FEISHU_DELIVER_TO names this entry, which needs no token any more: take {target} out of it': 'FEISHU_DELIVER_TO 中有这个条目，而它不再需要凭证：请将 {target} 从中删除',
  'It took the app from elsewhere: run `{command} setup{option}` for connect to have it': '该条目的应用凭证来自别处：请运行 `{command} setup{option}`，connect 才能使用它',
  'The profile "{profile}" uses the app {app}; that of this entry is {other}': '账号“{profile}”正在使用应用 {app}；该条目中的应用是 {other}',
  'It is for {brand}, and the profile "{profile}" uses an app of {other}: run `{command} setup --profile NAME` with an app of {brand2}, then `{command2} setup --adopt --profile NAME`': '该条目用于 {brand}，而账号“{profile}”使用的是 {other} 的应用：请先用 {brand2} 的应用运行 `{command} setup --profile NAME`，再运行 `{command2} setup --adopt --profile NAME`',
  'Set up the app of this entry in its place?': '要改用该条目中的应用吗？',
  'Keep the App ID and App Secret of this entry ({app}), encrypted? Without an app, connect has nothing to log in with': '要加密保存该条目中的 App ID 和 App Secret（{app}）吗？没有应用，connect 无法登录',
  'App ID and App Secret of this entry cannot be right; they were not kept': '该条目中的 App ID 和 App Secret 有误，未保存',
  'Run `{command} setup{option}`, then `{command2} setup --adopt{option2}`': '请先运行 `{command} setup{option}`，再运行 `{command2} setup --adopt{option2}`',
  '{program} does not hand on the environment, from which lark-mcp gets its token': '{program} 不会传递环境变量，而 lark-mcp 要从中取得凭证',
  'its header {name} holds words in braces, which connect would fill in': '其请求头 {name} 含有花括号括起的词，connect 会将其替换',
  'its header {name} is none that connect takes': 'connect 不接受其请求头 {name}',
  'connect has no form for its {key}': 'connect 没有与 {key} 对应的写法',
  'it was changed meanwhile': '它在此期间已被改动',
  'its entry could not be changed without changing something else': '无法只改动该条目而不影响其他内容',
  'its token or App Secret is in it once more, in a comment or under another name': '其凭证或 App Secret 还出现在注释中或另一个名称下',
  'its token is a reference, which the program that fills it in may keep fresh': '其凭证是一个引用，填入它的程序可能会负责更新',
  'its token is not a string': '其凭证不是字符串',
  'its address is none that gets the token': '凭证不会发往它的地址',
  'its address holds what looks like a secret': '其地址中有像是密钥的内容',
  'Its App Secret would be lost: run `{command} setup --adopt{option}` at a terminal and choose': '它的 App Secret 会丢失：请在终端运行 `{command} setup --adopt{option}` 并选择',
}
