import type { Table } from './table.ts'

/** What `connect` says, and the presets of scopes that come with it. */
export const CONNECT: Table = {
  'There is no scope preset {preset}': '没有名为 {preset} 的权限预设',
  'Use {presets}, or scopes as in the developer console': '请使用 {presets}，或按开发者后台中的写法填写权限',
}
