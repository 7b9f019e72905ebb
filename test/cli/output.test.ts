import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readFileSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { writeAtOnce } from '../../src/cli/output.ts'
import { makeFolder } from '../support/folder.ts'
import { testIf } from '../support/needs.ts'

function open(path: string, flags: number): number {
  const descriptor = openSync(path, flags, 0o600)
  onTestFinished(() => closeSync(descriptor))
  return descriptor
}

test('a file takes all of it', () => {
  const path = join(makeFolder(), 'out')
  expect(writeAtOnce(open(path, constants.O_WRONLY | constants.O_CREAT), '凭证\n')).toHaveLength(0)
  expect(readFileSync(path, 'utf8')).toBe('凭证\n')
})

const { platform } = process

testIf(platform === 'win32' ? 'Windows has no such pipes' : null)(
  'what a full pipe does not take is left, from the byte where it stopped',
  () => {
    const path = join(makeFolder(), 'pipe')
    execFileSync('mkfifo', [path])
    const pipe = open(path, constants.O_RDWR | constants.O_NONBLOCK)
    const text = Array.from({ length: 40_000 }, (_, line) => `line ${line}\n`).join('')
    const rest = writeAtOnce(pipe, text)
    expect(rest.length).toBeGreaterThan(0)
    const taken = Buffer.alloc(text.length)
    const length = readSync(pipe, taken)
    expect(length).toBeGreaterThan(0)
    expect(taken.toString('utf8', 0, length) + rest.toString()).toBe(text)
  },
)

testIf(platform === 'win32' ? 'Windows has no such pipes' : null)(
  'a terminal and a descriptor that is closed are left to the stream',
  () => {
    expect(writeAtOnce(open('/dev/null', constants.O_WRONLY), 'text').toString()).toBe('text')
    expect(writeAtOnce(9_999, 'text').toString()).toBe('text')
  },
)
