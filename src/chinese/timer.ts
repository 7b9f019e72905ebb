// The Chinese of `timer`.

import type { Table } from './table.ts'

/** What the timer says. */
// biome-ignore format: a table, one row a line
export const TIMER: Table = {
  '`timer` takes `install`, `remove` or `status`': '`timer` 后接 `install`、`remove` 或 `status`',
  'No scheduler that this program knows is running here': '这台机器上没有本程序支持的计划任务服务',
  'The timer is running ({name}): every day it refreshes the tokens that are due': '定时器正在运行（{name}）：每天检查并刷新需要刷新的凭证',
  'The timer is installed ({name}), but is not running': '定时器已安装（{name}），但没有运行',
  'The timer ({name}) was installed by another version of this program': '定时器（{name}）不是由当前版本的程序安装的',
  'No timer is installed ({name})': '没有安装定时器（{name}）',
  'If its line is in your crontab, take it out (`crontab -e`)': '如果 crontab 中有它的那一行，请删除（`crontab -e`）',
  'Put this line into your crontab (`crontab -e`)': '请把这一行加入 crontab（`crontab -e`）',
  'Run `{command} timer install`': '请运行 `{command} timer install`',
  'While you are logged out it does not run: `loginctl enable-linger` changes that': '注销系统用户后它不会运行：如需继续运行，请执行 `loginctl enable-linger`',
  'Its last run ended with {code}: `{command} refresh --all` says why': '上次运行的退出码为 {code}：`{command} refresh --all` 会说明原因',
  'It runs without {names}, which are set here: `{command} setup` keeps the app, `{command2} key --move-to file` the key; set what else it needs for your whole account': '它运行时没有此处设置的 {names}：用 `{command} setup` 保存应用，用 `{command2} key --move-to file` 移动密钥，其余的请为整个系统用户设置',
  '{path} cannot be read or written ({code})': '无法读写 {path}（{code}）',
  'Give this account permission, then try again': '请为当前系统用户授予权限，然后重试',
  '{scheduler} does not take the timer: {why}': '{scheduler} 拒绝了该定时器：{why}',
  'Fix what it says, or put this line into your crontab: {line}': '请按它的提示处理，或把这一行加入 crontab：{line}',
  'No timer is installed; a login ends after some days in which no client runs': '没有安装定时器；连续几天没有客户端运行，登录就会失效',
  'The last run of the timer ended with {code}': '定时器上次运行的退出码为 {code}',
  'Run `{command} refresh --all`: it says why': '请运行 `{command} refresh --all`，它会说明原因',
}
