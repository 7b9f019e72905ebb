import { expect, test } from 'vitest'
import { better, regressions } from '../../bench/baseline.ts'
import { cellsOf, type Figure, isReached, markdownTable, quantile } from '../../bench/figure.ts'
import { plotHerd, plotStartup } from '../../bench/plots.ts'

const time = (value: number): Figure => ({
  key: 'start',
  figure: 'a start',
  value,
  unit: '× bare Node',
  target: { atMost: 2 },
})
const rate = (value: number): Figure => ({ ...time(value), key: 'rate', target: { atLeast: 0.85 } })

test('a target is reached at its bound, from below for times and from above for rates', () => {
  expect([1.9, 2, 2.01].map((value) => isReached(time(value)))).toEqual([true, true, false])
  expect([0.84, 0.85, 1].map((value) => isReached(rate(value)))).toEqual([false, true, true])
})

test('what is more than a quarter worse than before is told, whichever way worse is', () => {
  const baseline = { start: 2, rate: 1 }
  expect(regressions([time(2.5), rate(0.81)], baseline)).toEqual([])
  expect(regressions([time(2.51), rate(0.79)], baseline).map(({ key }) => key)).toEqual(['start', 'rate'])
  expect(regressions([time(0.1), rate(9)], baseline)).toEqual([])
})

test('what the baseline does not know, and what is no ratio, is never a regression', () => {
  expect(regressions([time(99)], {})).toEqual([])
  expect(regressions([{ ...time(99), unit: 'ms' }], { start: 1 })).toEqual([])
})

test('of two measurements the better one counts', () => {
  expect(better(time(3), time(2)).value).toBe(2)
  expect(better(time(2), time(3)).value).toBe(2)
  expect(better(rate(0.7), rate(0.9)).value).toBe(0.9)
  expect(better(time(2), undefined).value).toBe(2)
})

test('a quantile is one of the values', () => {
  expect([0, 0.5, 0.95, 1].map((part) => quantile([5, 1, 4, 2, 3], part))).toEqual([1, 3, 5, 5])
})

test('a missed target stands out in the table', () => {
  expect(cellsOf(time(2.345))).toEqual(['a start', '2.35 × bare Node', '≤ 2', 'NO', ''])
  expect(
    markdownTable([{ ...time(1), peers: [{ name: 'other', value: 12.3 }] }])
      .split('\n')
      .at(-1),
  ).toBe('| a start | 1.00 × bare Node | ≤ 2 | yes | other 12.3 |')
})

test('the plots name what they show, also where lines meet', () => {
  const startup = plotStartup({ ...time(2.4), peers: [{ name: 'lark-mcp', value: 50 }] }, 'today')
  for (const text of ['node -e 0', 'feishu-token-mcp', '2.4 ×', 'lark-mcp', '50.0 ×', 'today'])
    expect(startup).toContain(`>${text}</text>`)
  const herd = (size: number, value: number): Figure => ({
    ...time(value),
    key: `herd-${size}`,
    peers: [{ name: 'nothing due', value }],
  })
  const plot = plotHerd([herd(1, 20), herd(8, 80)], 'today')
  const heightOf = (name: string) => Number(new RegExp(`y="([\\d.]+)"[^>]*>${name}`).exec(plot)?.[1])
  expect(heightOf('nothing due') - heightOf('one refresh')).toBeGreaterThanOrEqual(20)
})
