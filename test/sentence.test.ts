import { describe, expect, test } from 'vitest'
import { inChinese } from '../src/chinese/sentences.ts'
import {
  call,
  cell,
  clause,
  columns,
  type Door,
  fromParts,
  inEnglish,
  partsOf,
  type Sentence,
  say,
  series,
  shown,
  toolsOnly,
  typed,
} from '../src/sentence.ts'

const TERMINAL: Door = { command: 'x', profile: undefined }
const OF_WORK: Door = { command: 'x', profile: 'work' }

/** At a tool, at a terminal, and there in Chinese. */
const SAID: [string, Sentence, string, string, string][] = [
  [
    'its values',
    say`Process ${7} keeps the pace file locked.`,
    'Process 7 keeps the pace file locked.',
    'Process 7 keeps the pace file locked.',
    '进程 7 一直锁住限速文件。',
  ],
  [
    'a call',
    say`${call('start_authorization')} again.`,
    'Call start_authorization again.',
    'Run `x login` again.',
    '请重新运行 `x login`。',
  ],
  [
    'a call with its arguments, in the middle',
    say`Wait ${7} s, then ${call('refresh_token', { force: true })} again.`,
    'Wait 7 s, then call refresh_token with force true again.',
    'Wait 7 s, then run `x refresh --force` again.',
    '请等待 7 秒，然后重新运行 `x refresh --force`。',
  ],
  [
    'a command that no tool stands for',
    say`Run ${typed('doctor')} again.`,
    'Run `feishu-token-mcp doctor` again.',
    'Run `x doctor` again.',
    '请重新运行 `x doctor`。',
  ],
  [
    'what a terminal leaves out',
    say`${call('token_status', { wait_seconds: 45 })}${toolsOnly(say` (or run \`x login\`)`)}.`,
    'Call token_status with wait_seconds 45 (or run `x login`).',
    'Run `x status`.',
    '请运行 `x status`。',
  ],
  [
    'another sentence in its middle',
    say`The token could not be verified: ${clause(say`Written.`)}`,
    'The token could not be verified: written',
    'The token could not be verified: written',
    '无法验证凭证：已写入',
  ],
  [
    'sentences after each other',
    say`${say`Feishu accepts them.`} ${say`Written.`}`,
    'Feishu accepts them. Written.',
    'Feishu accepts them. Written.',
    '飞书已确认凭证正确。已写入。',
  ],
  [
    'a text with its own Chinese, and several of them',
    series([{ en: 'one', zh: '一' }, 'zwei'], '; '),
    'one; zwei',
    'one; zwei',
    '一；zwei',
  ],
  [
    'what is somebody else’s',
    say`${'Written.'} ${'status: valid'}`,
    'Written. status: valid',
    'Written. status: valid',
    'Written. status: valid',
  ],
  [
    'lines',
    say`  Commands:\n${cell(say`status:`, 9)}${say`valid`}\n`,
    '  Commands:\nstatus:  valid\n',
    '  Commands:\nstatus:  valid\n',
    '  命令：\n状态：   有效\n',
  ],
]

describe.each(SAID)('a sentence says %s', (_, sentence, tool, terminal, chinese) => {
  test('as a tool, as a string and in JSON', () => {
    expect(inEnglish(sentence)).toBe(tool)
    expect(`${sentence}`).toBe(tool)
    expect(JSON.parse(JSON.stringify({ next_step: sentence }))).toEqual({ next_step: tool })
  })

  test('at a terminal', () => {
    expect(inEnglish(sentence, TERMINAL)).toBe(terminal)
    expect(inChinese(sentence, TERMINAL)).toBe(chinese)
  })

  test('and the same from the store', () => {
    const stored = fromParts(JSON.parse(JSON.stringify(partsOf(sentence))))
    expect(stored).toEqual(sentence)
    expect(inChinese(stored, TERMINAL)).toBe(chinese)
  })
})

test('a command names the profile that the person named, or that of the call', () => {
  const refresh = say`${call('refresh_token')}.`
  expect(inEnglish(refresh, OF_WORK)).toBe('Run `x refresh --profile work`.')
  expect(inEnglish(say`${call('refresh_token', { profile: 'b' })}.`, OF_WORK)).toBe(
    'Run `x refresh --profile b`.',
  )
  expect(inEnglish(say`${typed('doctor')}`, OF_WORK)).toBe('`x doctor --profile work`')
  expect(inEnglish(say`${typed('logout --profile b --force')}`, OF_WORK)).toBe(
    '`x logout --profile b --force`',
  )
})

test('a text that an older version has stored is said as it is', () => {
  expect(inEnglish(fromParts('No one approved in time.'))).toBe('No one approved in time.')
})

test('where a line of the source ends, a blank is meant', () => {
  expect(
    `${say`one
    two`}`,
  ).toBe('one two')
})

test('a Chinese character takes two columns', () => {
  expect([columns('abc'), columns('状态：'), columns('a状b')]).toEqual([3, 6, 4])
})

test('a sentence that the tables do not know, as of another version, is said in English', () => {
  expect(inChinese(say`It knew ${'a'} ${call('refresh_token')}.`, TERMINAL)).toBe(
    'It knew a run `x refresh`.',
  )
})

test('a refused value is said back without what anybody acts on', () => {
  expect(shown('work')).toBe('"work"')
  expect(shown('token-json:C:\\x\\文件.json')).toBe('"token-json:C:\\x\\文件.json"')
  expect(shown('\u001b]8;;x\u0007<b>`rm`**"[a](b)\u202e\n')).toBe(
    '"?]8;;x??b??rm?????a?(b)??"'.replace(']', '?'),
  )
  expect(shown('x'.repeat(500))).toBe(`"${'x'.repeat(80)}..."`)
})
