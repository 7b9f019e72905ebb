// Writes the install buttons and links into the documents, between the marks that name them:
//   <!-- install buttons --> … <!-- end -->   links that GitHub shows, as pictures that can be clicked
//   <!-- install links --> … <!-- end -->     the addresses that the programs themselves register
// Usage: node scripts/install-links.mjs [--check]   with --check nothing is written; exit 1 if something would be

import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const packageName = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).name
const NAME = 'feishu'
const SERVER = { command: 'npx', args: ['-y', packageName, 'connect'] }

const base64 = encodeURIComponent(Buffer.from(JSON.stringify(SERVER)).toString('base64'))
const json = (value) => encodeURIComponent(JSON.stringify(value))
/** Program, the page that hands over to it, and its own address. */
const PROGRAMS = [
  {
    title: 'Cursor',
    page: `https://cursor.com/install-mcp?name=${NAME}&config=${base64}`,
    link: `cursor://anysphere.cursor-deeplink/mcp/install?name=${NAME}&config=${base64}`,
  },
  {
    title: 'VS Code',
    page: `https://vscode.dev/redirect/mcp/install?name=${NAME}&config=${json(SERVER)}`,
    link: `vscode:mcp/install?${json({ name: NAME, ...SERVER })}`,
  },
]

/** Of a semi-bold letter at 14 px; the words are drawn that wide, whichever font is there. */
const LETTER_PX = 7.8
/** Left of the words is the icon, right of them what makes it look even. */
const MARGIN = { left: 36, right: 12 }

function pictureOf(title) {
  return join('docs', `add-to-${title.toLowerCase().replace(' ', '-')}.svg`)
}

function drawButton(title) {
  const words = `Add to ${title}`
  const length = Math.round(words.length * LETTER_PX)
  const width = MARGIN.left + length + MARGIN.right
  const icon = /<svg[^>]*>(.*)<\/svg>/s.exec(readFileSync(join(root, 'docs/icon.svg'), 'utf8'))[1]
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="32" viewBox="0 0 ${width} 32" role="img" aria-label="${words}">
<rect width="${width}" height="32" rx="7" fill="#1456d9"/>
<g transform="translate(2 2) scale(.4375)">${icon}</g>
<text x="${MARGIN.left}" y="21" textLength="${length}" lengthAdjust="spacingAndGlyphs" fill="#fff" font-family="system-ui,Segoe UI,Helvetica,Arial,sans-serif" font-size="14" font-weight="600">${words}</text>
</svg>\n`
}

function buttons(document) {
  const shown = PROGRAMS.map(({ title, page }) => {
    return `[![Add to ${title}](${relative(dirname(document), pictureOf(title))})](${page})`
  })
  return shown.join('\n')
}

function links() {
  const rows = PROGRAMS.map(({ title, link }) => `| ${title} | \`${link}\` |`)
  return ['| program | address |', '| --- | --- |', ...rows].join('\n')
}

function renewed(document, text) {
  const blocks = { buttons: buttons(document), links: links() }
  return text.replace(
    /(<!-- install (buttons|links) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_, head, kind, end) => `${head}${blocks[kind]}${end}`,
  )
}

const documents = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'))
const files = ['README.md', ...documents.map((name) => join('docs', name))].map((path) => {
  return [path, renewed(path, readFileSync(join(root, path), 'utf8'))]
})
files.push(...PROGRAMS.map(({ title }) => [pictureOf(title), drawButton(title)]))
for (const [path, text] of files) {
  let old = null
  try {
    old = readFileSync(join(root, path), 'utf8')
  } catch {
    // Not drawn yet.
  }
  if (old === text) continue
  if (process.argv.includes('--check')) {
    console.error(`${path} is not current: run node scripts/install-links.mjs`)
    process.exitCode = 1
  } else writeFileSync(join(root, path), text)
}
