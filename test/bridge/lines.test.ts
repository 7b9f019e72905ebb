import { expect, test } from 'vitest'
import { createLines } from '../../src/bridge/lines.ts'
import { effortMs } from '../support/effort.ts'
import { heldMebibytes } from '../support/garbage.ts'

function linesOf(chunks: (string | Buffer)[], maxCharacters?: number): string[] {
  const lines: string[] = []
  const read = createLines((line) => void lines.push(line), maxCharacters)
  for (const chunk of chunks) read(Buffer.from(chunk))
  return lines
}

test('lines are put together of what comes, characters in two halves too', () => {
  const bytes = Buffer.from('文')
  expect(linesOf(['a', 'b\nc\n\nd', bytes.subarray(0, 1), bytes.subarray(1), '\nrest'])).toEqual([
    'ab',
    'c',
    '',
    'd文',
  ])
})

test('a line that is too long is thrown away, and the next one is whole', () => {
  expect(linesOf(['12345\n', '123', '456', '789\n', 'next\n'], 5)).toEqual(['12345', 'next'])
})

test('a long line in many chunks is no more work than its length', () => {
  const chunks = Array.from({ length: 4_000 }, () => Buffer.alloc(16_384, 'y'))
  const effort = effortMs(() => expect(linesOf([...chunks, '\n'])[0]).toHaveLength(4_000 * 16_384))
  // Put together anew with each chunk it takes more than ten seconds.
  expect(effort).toBeLessThan(3_000)
})

test('of a line that is longer than any message no more is kept, until the next one', async () => {
  const chunk = Buffer.alloc(65_536, 'y')
  const lines: string[] = []
  const read = createLines((line) => void lines.push(line))
  const before = await heldMebibytes()
  for (let chunks = 1; chunks <= 768 * 16; chunks += 1) {
    read(chunk)
    // What may still become a message is kept, up to 128.
    if (chunks === 96 * 16) expect((await heldMebibytes()) - before).toBeLessThan(112)
    else if (chunks % (192 * 16) === 0) expect((await heldMebibytes()) - before).toBeLessThan(16)
  }
  read(Buffer.from('\nnext\n'))
  expect(lines).toEqual(['next'])
})
