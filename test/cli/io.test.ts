import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { readLine } from '../../src/cli/io.ts'

test.for([
  [['one\ntwo\n'], 'one'],
  [['  in', ' pieces \r\n'], 'in pieces'],
  [['no end'], 'no end'],
  [['\n'], null],
  [[], null],
] as const)('the first line of %j is %j', async ([chunks, line]) => {
  const stdin = new PassThrough()
  for (const chunk of chunks) stdin.write(chunk)
  stdin.end()
  expect(await readLine(stdin)).toBe(line)
})

test('a line that never ends is read to its limit', async () => {
  const stdin = new PassThrough()
  stdin.write('x'.repeat(70_000))
  expect((await readLine(stdin))?.length).toBe(70_000)
})
