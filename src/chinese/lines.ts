import type { Table } from './table.ts'

/** Whole lines, for sentences that are values. */
// biome-ignore format: a table, one row a line
export const LINES: Table = {
  'FAILED: {message} {step} [{facts}]': '失败：{message}{step}[{facts}]',
  'Wait {seconds} s, then {call} again': '请等待 {seconds} 秒，然后重新运行 {call}',
  '{call} again': '请重新运行 {call}',
}
