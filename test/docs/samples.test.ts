import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { describeIf, NO_POSIX } from '../support/needs.ts'
import { currentDocuments } from './samples.ts'

// The documents show a program that is called by its plain name, and a child of `sh`.
describeIf(NO_POSIX)('the documents', () => {
  let current: Map<string, string>
  beforeAll(async () => {
    current = await currentDocuments()
  })

  test('show samples and pictures that are what the program answers today (npm run docs)', () => {
    for (const [path, text] of current) expect(readFileSync(path, 'utf8'), path).toBe(text)
  })

  test('docs/tools.md has all of them', () => {
    const names = [...(current.get('docs/tools.md') ?? '').matchAll(/<!-- sample: (\w+) -->/g)].map(
      ([, name]) => name,
    )
    expect(names).toEqual(['start_authorization', 'token_status', 'refresh_token', 'failure'])
  })
})
