// The little that the pictures in docs/figures share: a card that is legible on a light page and on a dark one.

/** Each picture has its own ground, so that it never depends on what its page thinks the reader's theme is. */
const STYLE = `
  .card { fill: #ffffff; stroke: #d0d7de }
  .text { fill: #1f2328 } .quiet { fill: #59636e } .own { fill: #0969da } .other { fill: #8c959f }
  .line { stroke: #0969da } .thin { stroke: #8c959f } .goal { stroke: #bc4c00 } .goaltext { fill: #bc4c00 }
  .box { fill: #f6f8fa; stroke: #d0d7de } .ownbox { fill: #ddf4ff; stroke: #0969da }
  @media (prefers-color-scheme: dark) {
    .card { fill: #0d1117; stroke: #3d444d }
    .text { fill: #f0f6fc } .quiet { fill: #9198a1 } .own { fill: #4493f8 } .other { fill: #656c76 }
    .line { stroke: #4493f8 } .thin { stroke: #656c76 } .goal { stroke: #db6d28 } .goaltext { fill: #db6d28 }
    .box { fill: #151b23; stroke: #3d444d } .ownbox { fill: #121d2f; stroke: #4493f8 }
  }`

const FONT =
  "-apple-system, 'Segoe UI', 'Noto Sans', 'Noto Sans CJK SC', 'PingFang SC', Helvetica, Arial, sans-serif"

export function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}

/** A line of text; `anchor` says which of its ends stands at `x`. */
export function textAt(
  x: number,
  y: number,
  text: string,
  options: { kind?: string; anchor?: 'start' | 'middle' | 'end'; size?: number; bold?: boolean } = {},
): string {
  const { kind = 'text', anchor = 'start', size = 14, bold = false } = options
  const weight = bold ? ' font-weight="600"' : ''
  return `<text class="${kind}" x="${x}" y="${y}" text-anchor="${anchor}" font-size="${size}"${weight}>${escapeXml(text)}</text>`
}

/** A whole picture; `title` is what a reader who cannot see it hears. `style` adds to the shared one. */
export function card(
  size: { width: number; height: number },
  title: string,
  content: readonly string[],
  style = '',
): string {
  const { width, height } = size
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" font-family="${FONT}">`,
    `<title>${escapeXml(title)}</title>`,
    `<style>${STYLE}${style}\n</style>`,
    `<rect class="card" x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>`,
    ...content,
    '</svg>',
  ].join('\n')}\n`
}
