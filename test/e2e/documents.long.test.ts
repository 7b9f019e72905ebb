// The command that runs one test, as the documents have it.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { DOCUMENTS, inlineCommands, shellLines, typed } from '../support/document.ts'
import { NO_POSIX, skipIf } from '../support/needs.ts'
import { HANGS_MS } from '../support/patience.ts'

const COMMANDS = [...new Set(DOCUMENTS.flatMap((path) => [...shellLines(path), ...inlineCommands(path)]))]
const LINES = COMMANDS.filter((line) => /^npx vitest run test\/[\w./-]+\.test\.ts( -t '\w+')?$/.test(line))

test('there is one', () => {
  expect(LINES).not.toEqual([])
})

test.for(LINES)('`%s` runs a test', async (line, context) => {
  skipIf(NO_POSIX, context)
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^VITEST|^NODE_ENV$/.test(name)),
  )
  const { stdout: told } = await promisify(execFile)('/bin/sh', ['-c', typed(line)], {
    env,
    timeout: HANGS_MS,
  })
  expect(told).toMatch(/Tests .*[1-9]\d* passed/)
})
