// The two plots of a run: starts beside peers, and the herd's wait against its size.

import { card, textAt } from '../test/support/svg.ts'
import type { Figure } from './figure.ts'

const WIDTH = 760

/** Bars of how long a start takes, in bare starts of Node. */
export function plotStartup(initialize: Figure, note: string): string {
  const bars = [
    { name: 'node -e 0', value: 1, kind: 'other' },
    { name: 'feishu-token-mcp', value: initialize.value, kind: 'own' },
    ...(initialize.peers ?? []).map((peer) => ({ ...peer, kind: 'other' })),
  ]
  const [left, room, top, step] = [170, WIDTH - 170 - 70, 66, 34]
  const longest = Math.max(...bars.map(({ value }) => value))
  const rows = bars.flatMap(({ name, value, kind }, index) => {
    const y = top + index * step
    const length = Math.max(2, (value / longest) * room)
    const own = kind === 'own'
    return [
      textAt(left - 12, y + 15, name, { anchor: 'end', bold: own }),
      `<rect class="${kind}" x="${left}" y="${y}" width="${length.toFixed(1)}" height="20" rx="3"/>`,
      textAt(left + length + 8, y + 15, `${value.toFixed(1)} ×`, { bold: own }),
    ]
  })
  const height = top + bars.length * step + 26
  return card({ width: WIDTH, height }, 'Start-up beside peers', [
    textAt(24, 32, 'From spawn to the answer to initialize, in bare starts of Node', {
      size: 16,
      bold: true,
    }),
    ...rows,
    textAt(24, height - 14, note, { kind: 'quiet', size: 12 }),
  ])
}

/** Lines of the 95th percentile of what a herd waits beyond Feishu's own time, in milliseconds. */
export function plotHerd(herds: readonly Figure[], note: string): string {
  const sizes = herds.map(({ key }) => Number(key.slice('herd-'.length)))
  const waits = herds.map(({ value }) => value)
  const idle = herds.map(({ peers }) => peers?.[0]?.value ?? 0)
  const goal = 100
  const highest = Math.max(goal, ...waits, ...idle) * 1.15
  const [left, right, top, bottom] = [64, WIDTH - 190, 60, 290]
  const largest = Math.max(...sizes)
  const x = (size: number) => left + (size / largest) * (right - left)
  const y = (ms: number) => bottom - (ms / highest) * (bottom - top)
  const points = (values: number[]) =>
    sizes.map((size, index) => `${x(size).toFixed(1)},${y(values[index] ?? 0).toFixed(1)}`).join(' ')
  const [end, idleEnd] = [waits.at(-1) ?? 0, idle.at(-1) ?? 0]
  // The two names never lie on each other, however close the lines end.
  const idleNameY = Math.max(y(idleEnd), y(end) + 20)
  const line = (kind: string, values: number[]) =>
    `<polyline class="${kind}" points="${points(values)}" fill="none" stroke-width="2.5"/>`
  const height = bottom + 72
  return card({ width: WIDTH, height }, "What a herd waits beyond Feishu's own time", [
    textAt(24, 32, "P processes × 25 calls on one expired token: wait beyond Feishu's own time, p95", {
      size: 16,
      bold: true,
    }),
    `<path class="thin" d="M${left},${top} V${bottom} H${right}" fill="none"/>`,
    `<path class="goal" d="M${left},${y(goal)} H${right}" stroke-dasharray="5 4"/>`,
    textAt(left + 8, y(goal) - 7, 'at most 100 ms', { kind: 'goaltext', size: 12 }),
    textAt(left - 8, y(goal) + 4, '100', { anchor: 'end', size: 12, kind: 'quiet' }),
    textAt(left - 8, bottom + 4, '0 ms', { anchor: 'end', size: 12, kind: 'quiet' }),
    line('thin', idle),
    textAt(right + 10, idleNameY + 5, `nothing due: ${idleEnd.toFixed(0)} ms`, { kind: 'quiet' }),
    line('line', waits),
    textAt(right + 10, y(end) + 5, `one refresh: ${end.toFixed(0)} ms`, { kind: 'own', bold: true }),
    ...sizes.map((size) =>
      textAt(x(size), bottom + 20, `P = ${size}`, { anchor: 'middle', size: 12, kind: 'quiet' }),
    ),
    textAt(24, height - 14, note, { kind: 'quiet', size: 12 }),
  ])
}
