// The buttons and links of the documents, taken apart as the two programs do it.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { DOCUMENTS } from '../support/document.ts'

const { name: packageName } = JSON.parse(readFileSync('package.json', 'utf8'))
const ENTRY = { command: 'npx', args: ['-y', packageName, 'connect'] }

/** Every address in the documents that begins so. */
function addresses(start: string): string[] {
  const pattern = new RegExp(`${start.replace(/[.?]/g, '\\$&')}[^)\\s\`]*`, 'g')
  const found = DOCUMENTS.flatMap((path) => readFileSync(path, 'utf8').match(pattern) ?? [])
  expect(found.length, start).toBeGreaterThan(0)
  return found
}

test('they are what the script writes', async () => {
  await promisify(execFile)(process.execPath, ['scripts/install-links.mjs', '--check'])
})

test.each(['https://cursor.com/install-mcp?', 'cursor://anysphere.cursor-deeplink/mcp/install?'])(
  '%s… is the entry for Cursor, in base64',
  (start) => {
    for (const address of addresses(start)) {
      const { searchParams } = new URL(address)
      expect(searchParams.get('name')).toBe('feishu')
      expect(JSON.parse(Buffer.from(searchParams.get('config') ?? '', 'base64').toString())).toEqual(ENTRY)
    }
  },
)

test('https://vscode.dev… is the entry for VS Code', () => {
  for (const address of addresses('https://vscode.dev/redirect/mcp/install?')) {
    const { searchParams } = new URL(address)
    expect(searchParams.get('name')).toBe('feishu')
    expect(JSON.parse(searchParams.get('config') ?? '')).toEqual(ENTRY)
  }
})

test('vscode:… is the entry for VS Code, with its name', () => {
  for (const address of addresses('vscode:mcp/install?')) {
    expect(JSON.parse(decodeURIComponent(address.slice(address.indexOf('?') + 1)))).toEqual({
      name: 'feishu',
      ...ENTRY,
    })
  }
})

test('the entry is the one that the documents tell people to write', () => {
  expect(readFileSync('docs/clients.md', 'utf8')).toContain(`${ENTRY.command} ${ENTRY.args.join(' ')}`)
})
