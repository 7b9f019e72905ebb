// What was typed and printed, as a picture that types itself once: an SVG with CSS alone. Where nothing is animated, the
// whole of it stands there.

import { escapeXml } from '../support/svg.ts'
import type { Typed } from './run.ts'

const COLUMNS = 108
const [WIDTH, LINE_HEIGHT, LEFT, TOP] = [900, 19, 20, 58]
/** From one line to the next, and before a command, in seconds: as somebody reads. */
const [LINE_PAUSE, COMMAND_PAUSE] = [0.12, 0.9]

type Line = { text: string; kind: 'typed' | 'printed'; at: number }

function wrapped(text: string): string[] {
  const parts = text.match(new RegExp(`.{1,${COLUMNS}}`, 'gu'))
  return parts ?? ['']
}

function linesOf(typed: readonly Typed[]): Line[] {
  let at = 0
  const lines: Line[] = []
  for (const { command, output } of typed) {
    at += COMMAND_PAUSE
    lines.push({ text: `$ ${command}`, kind: 'typed', at })
    at += COMMAND_PAUSE
    for (const text of output.trimEnd().split('\n').flatMap(wrapped)) {
      lines.push({ text, kind: 'printed', at })
      at += LINE_PAUSE
    }
    lines.push({ text: '', kind: 'printed', at })
  }
  return lines
}

/** Draws a terminal; it is dark on every page. */
export function drawTerminal(typed: readonly Typed[], title: string): string {
  const lines = linesOf(typed)
  const height = TOP + lines.length * LINE_HEIGHT
  const rows = lines.map(({ text, kind, at }, index) => {
    const y = TOP + index * LINE_HEIGHT
    return `<text class="${kind}" x="${LEFT}" y="${y}" xml:space="preserve" style="animation-delay:${at.toFixed(2)}s">${escapeXml(text)}</text>`
  })
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', 'Noto Sans Mono CJK SC', monospace" font-size="13">`,
    `<title>${escapeXml(title)}</title>`,
    '<style>',
    '  .printed { fill: #c9d1d9; animation: appear 0.01s both } .typed { fill: #7ee787; animation: appear 0.01s both }',
    '  @keyframes appear { from { opacity: 0 } to { opacity: 1 } }',
    '  @media (prefers-reduced-motion: reduce) { .printed, .typed { animation: none } }',
    '</style>',
    `<rect x="0.5" y="0.5" width="${WIDTH - 1}" height="${height - 1}" rx="8" fill="#0d1117" stroke="#3d444d"/>`,
    ...['#ff5f57', '#febc2e', '#28c840'].map(
      (fill, i) => `<circle cx="${22 + i * 18}" cy="20" r="5.5" fill="${fill}"/>`,
    ),
    ...rows,
    '</svg>',
  ].join('\n')}\n`
}
