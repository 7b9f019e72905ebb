import { execFile } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { ICONS } from '../../src/mcp/icon.ts'
import { makeFolder } from '../support/folder.ts'

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

/** Width and height of a PNG, from its first chunk (RFC 2083 section 4.1.1). */
function pngSize(bytes: Buffer): [number, number] {
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
  return [bytes.readUInt32BE(16), bytes.readUInt32BE(20)]
}

const bytesOf = (uri: string) => Buffer.from(uri.replace(/^data:[\w/+]+;base64,/, ''), 'base64')

test('the server shows the drawing of docs/icon.svg, as SVG and as PNG', () => {
  const [svg, png] = ICONS
  expect(bytesOf(svg?.src ?? '').toString()).toBe(readFileSync('docs/icon.svg', 'utf8').trim())
  expect(svg).toMatchObject({ mimeType: 'image/svg+xml', sizes: ['any'] })
  expect(pngSize(bytesOf(png?.src ?? ''))).toEqual([48, 48])
  expect(png).toMatchObject({ mimeType: 'image/png', sizes: ['48x48'] })
  // It is in the first answer of every start.
  expect(JSON.stringify(ICONS).length).toBeLessThan(4096)
})

test.each(['README.md', 'docs/README.zh-CN.md'])('%s begins with it', (path) => {
  const [title = ''] = readFileSync(path, 'utf8').split('\n')
  expect(title).toMatch(/^# <img [^>]*src="(?:docs\/)?icon\.svg"[^>]*> feishu-token-mcp$/)
})

test('the bundle has it in 512 by 512', () => {
  expect(pngSize(readFileSync('docs/icon.png'))).toEqual([512, 512])
})

test('the drawing can hold no script and asks for nothing', () => {
  expect(readFileSync('docs/icon.svg', 'utf8')).not.toMatch(
    /<script|\bon\w+=|href|url\(|<image|<foreignObject/i,
  )
})

test('the script draws the icon in every size that is asked for', async (context) => {
  if (!existsSync(CHROMIUM)) {
    context.skip(`no Chromium at ${CHROMIUM}: apt-get install chromium, or set CHROMIUM_PATH`)
  }
  const folder = makeFolder()
  for (const part of ['scripts/icon.mjs', 'docs/icon.svg']) cpSync(part, join(folder, part))
  mkdirSync(join(folder, 'src/mcp'), { recursive: true })
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  await promisify(execFile)(process.execPath, ['scripts/icon.mjs'], { cwd: folder })
  expect(pngSize(readFileSync(join(folder, 'docs/icon.png')))).toEqual([512, 512])
  const source = readFileSync(join(folder, 'src/mcp/icon.ts'), 'utf8')
  expect(source).toContain(ICONS[0]?.src)
  // Each Chromium smooths in its own way: the size alone is the same.
  const [, png = ''] = /'(data:image\/png;base64,[^']+)'/.exec(source) ?? []
  expect(pngSize(bytesOf(png))).toEqual([48, 48])
})
