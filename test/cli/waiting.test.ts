import { expect, test } from 'vitest'
import { showWaiting } from '../../src/cli/waiting.ts'
import { localTime } from '../../src/moment.ts'
import type { Sentence } from '../../src/sentence.ts'

/** Waits on a clock of its own for so many seconds, then the person has approved. */
async function wait(
  seconds: number,
  environment: Record<string, string> = {},
  stderr = true,
): Promise<string> {
  const start = Date.parse('2026-03-01T10:00:00Z')
  let now = start
  let said = ''
  const over = new AbortController()
  await showWaiting(
    {
      stderr: (text: Sentence) => {
        said += String(text)
      },
      width: { stdout: 80, stderr: stderr ? 80 : null },
      environment,
    },
    {
      now: () => now,
      sleep: async (ms) => {
        now += ms
        if (now - start >= seconds * 1_000) over.abort()
      },
    },
    '2026-03-01T10:10:00Z',
    over.signal,
  )
  return said
}

const until = localTime('2026-03-01T10:10:00Z').slice(-5)

test('a terminal shows the seconds run in one line, which is gone at the end', async () => {
  const line = (left: string) => `\r\x1b[2KWaiting for approval until ${until} (${left} left; Ctrl-C stops)`
  expect(await wait(3)).toBe(`${line('10:00')}${line('9:59')}${line('9:58')}\r\x1b[2K`)
})

test('anything else is told once until when', async () => {
  const once = `Waiting for the approval, until ${until} …\n`
  expect(await wait(3, {}, false)).toBe(once)
  expect(await wait(3, { TERM: 'dumb' })).toBe(once)
})
