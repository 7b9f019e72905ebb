import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { forTerminal } from '../../src/chinese/for-terminal.ts'
import { readLine } from '../../src/cli/io.ts'

test.for([
  ['Call start_authorization again.', 'Run `x login` again.'],
  ['Wait 7 s, then call refresh_token again.', 'Wait 7 s, then run `x refresh` again.'],
  ['Call refresh_token with force true, because …', 'Run `x refresh --force`, because …'],
  ['… then call token_status with wait_seconds 45; …', '… then run `x status`; …'],
  ['Call start_authorization so that … (or run `x login --profile a`).', 'Run `x login` so that ….'],
  ['Nothing is needed: the token is valid.', 'Nothing is needed: the token is valid.'],
])('a person at a terminal reads commands where a model reads tools: %s', ([text, shown]) => {
  expect(forTerminal(String(text), 'x', undefined)).toBe(shown)
})

test('the commands name the profile that was asked for', () => {
  expect(forTerminal('Call start_authorization.', 'x', 'work')).toBe('Run `x login --profile work`.')
})

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
