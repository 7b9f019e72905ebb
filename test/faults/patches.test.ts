// The controls of the faults run for minutes and seldom; that each still finds what it takes out is seen at once.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/** A patch as it is written down (variant.ts), with a plain string. */
const PATCH = /file: '([^']+)',\s+from:\s+(?:'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)")/g

function unquoted(literal: string): string {
  return JSON.parse(`"${literal.replaceAll("\\'", "'").replaceAll('"', '\\"')}"`)
}

const patches = readdirSync(import.meta.dirname)
  .filter((name) => /^[\w-]+(\.faults)?\.ts$/.test(name))
  .flatMap((name) => [...readFileSync(join(import.meta.dirname, name), 'utf8').matchAll(PATCH)])
  .map(([, file = '', single, double]) => ({ file, from: unquoted(single ?? double ?? '') }))

test('there are controls', () => expect(patches.length).toBeGreaterThan(30))

test.each(patches)('$file holds once what a control takes out: $from', ({ file, from }) => {
  expect(readFileSync(file, 'utf8').split(from)).toHaveLength(2)
})
