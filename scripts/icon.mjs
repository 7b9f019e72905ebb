// Draws docs/icon.svg as docs/icon.png and writes both, small, into src/mcp/icon.ts. Needs Chromium.
// Run it when the drawing has changed: node scripts/icon.mjs

import { readFileSync, writeFileSync } from 'node:fs'
import { chromium } from 'playwright-core'

const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
/** What Claude Desktop asks of a bundle's icon. */
const BUNDLE_PIXELS = 512
/** The size that the MCP specification takes as its example, sharp in a list on a dense display. */
const SERVER_PIXELS = 48

const svg = readFileSync('docs/icon.svg', 'utf8').trim()
const svgUri = `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`

const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
async function draw(pixels) {
  const page = await browser.newPage({ viewport: { width: pixels, height: pixels } })
  await page.setContent(
    `<body style="margin:0"><img src="${svgUri}" width="${pixels}" style="display:block">`,
  )
  return page.screenshot({ omitBackground: true })
}
writeFileSync('docs/icon.png', await draw(BUNDLE_PIXELS))
const small = await draw(SERVER_PIXELS)
await browser.close()

const size = `${SERVER_PIXELS}x${SERVER_PIXELS}`
writeFileSync(
  'src/mcp/icon.ts',
  `// Written by scripts/icon.mjs from docs/icon.svg.

import type { Icon } from '@modelcontextprotocol/sdk/types.js'

/** The server's picture; every client that shows one can draw PNG, and most can draw SVG. */
export const ICONS: Icon[] = [
  { src: '${svgUri}', mimeType: 'image/svg+xml', sizes: ['any'] },
  {
    src: 'data:image/png;base64,${small.toString('base64')}',
    mimeType: 'image/png',
    sizes: ['${size}'],
  },
]
`,
)
