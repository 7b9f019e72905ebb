import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { ICONS } from '../../src/mcp/icon.ts'

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

test('the bundle has it in 512 by 512', () => {
  expect(pngSize(readFileSync('docs/icon.png'))).toEqual([512, 512])
})

test('the drawing can hold no script and asks for nothing', () => {
  expect(readFileSync('docs/icon.svg', 'utf8')).not.toMatch(
    /<script|\bon\w+=|href|url\(|<image|<foreignObject/i,
  )
})
