import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { emptyLists, type Kept, listsFile, readLists, writeLists } from '../../src/hand-over/connect-lists.ts'

function readBack(kept: unknown): Kept | null {
  const folder = mkdtempSync(join(tmpdir(), 'lists-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const file = listsFile(folder, ['http', 'https://mcp.feishu.cn/mcp'])
  writeLists(folder, file, kept as Kept)
  return readLists(file)
}

const whole = { lists: { ...emptyLists(), 'tools/list': [{ name: 'search' }] }, asked: [], allowed: null }

test('lists are read back as they were kept', () => {
  expect(readBack(whole)).toEqual(whole)
})

test.each([null, 5, {}, { name: 5 }, { name: { toString: 1 } }])(
  'with a tool %j, that no one could ask for, nothing was kept',
  (tool) => {
    expect(readBack({ ...whole, lists: { ...whole.lists, 'tools/list': [tool] } })).toBeNull()
  },
)

test.each([undefined, null, {}, 'tools'])('with %j as a list nothing was kept', (list) => {
  expect(readBack({ ...whole, lists: { ...whole.lists, 'prompts/list': list } })).toBeNull()
})
