import { expect, test } from 'vitest'
import { fold, folded, laidOut } from '../../src/chinese/fold.ts'
import { createVoice } from '../../src/chinese/voice.ts'
import { columns, type Language, type Sentence, say } from '../../src/sentence.ts'

const URL_OF_APP = 'https://open.feishu.cn/app/cli_0123456789abcdef/safe'

/** The text → its lines at so many columns. */
const FOLDED: [string, number, string, string[]][] = [
  ['what fits, as it is', 20, 'one two three', ['one two three']],
  ['words', 12, 'one two three four', ['one two', 'three four']],
  ['what is moved in, below its beginning', 14, '    one two three', ['    one two', '    three']],
  ['a numbered step', 14, '1. one two three four', ['1. one two', '   three four']],
  ['a column, below it', 20, 'warn  one: two three four', ['warn  one: two three', '      four']],
  ['a narrow terminal without columns', 14, 'next step:  run it today', ['next step:', 'run it today']],
  ['a command whole', 20, 'Please run `a b --c d`, now.', ['Please run', '`a b --c d`, now.']],
  ['a command in brackets', 12, 'Run it (`a b`).', ['Run it', '(`a b`).']],
  ['a choice of values', 20, 'copy a b c --to file|URL', ['copy a b c', '--to file|URL']],
  ['a program to name', 20, 'exec [--for NAME] -- CMD …', ['exec [--for NAME]', '-- CMD …']],
  ['an option whole', 20, 'connect [URL] [--for NAME]… [--x]', ['connect [URL]', '[--for NAME]… [--x]']],
  ['an address whole', 30, `Look at ${URL_OF_APP} now.`, ['Look at', URL_OF_APP, 'now.']],
  ['nothing before an address', 30, `${URL_OF_APP} now.`, [URL_OF_APP, 'now.']],
  ['Chinese by what it takes', 12, '还没有人登录，请登录。', ['还没有人登', '录，请登录。']],
  ['no mark at a beginning', 12, '还没有人登录。好', ['还没有人登', '录。好']],
  ['no quote at an end', 11, '还没有人“登录”了', ['还没有人', '“登录”了']],
  ['a path with Chinese in it', 18, '请看 /home/小明/文件.json 好', ['请看', '/home/小明/文件.json', '好']],
  ['a path of Windows', 16, '请看 C:\\小明\\文件.json 好', ['请看', 'C:\\小明\\文件.json', '好']],
  ['a path before a mark', 18, '请看 ~/小明.json：没有了', ['请看 ~/小明.json：', '没有了']],
  ['a slash between Chinese', 12, '飞书/钉钉或者其他', ['飞书/钉钉或', '者其他']],
  ['a question with room for its answer', 14, 'Do you want it? [y] ', ['Do you want', 'it? [y] ']],
  ['colours, which take no room', 12, '\x1b[31mone two\x1b[39m four', ['\x1b[31mone two\x1b[39m four']],
  ['each line by itself', 8, 'one two\nthree four', ['one two', 'three', 'four']],
]

test.each(FOLDED)('a terminal shows %s', (_, width, text, lines) => {
  expect(fold(text, width).split('\n')).toEqual(lines)
})

async function said(language: Language, sentence: Sentence, width: number | null): Promise<string> {
  let out = ''
  const write = (text: string) => {
    out += text
  }
  const voice = createVoice(
    () => language,
    { command: 'x', profile: undefined, width },
    write,
    () => width,
  )
  voice.say(sentence)
  await voice.said()
  return out
}

const LONG = say`Feishu gave no clear answer about these credentials; they were kept.\n`

test('a sentence is folded where a person looks on, and a pipe gets it in one line', async () => {
  for (const language of ['en', 'zh'] as const) {
    const whole = await said(language, LONG, null)
    expect(whole.split('\n')).toHaveLength(2)
    const lines = (await said(language, LONG, 30)).split('\n')
    expect(lines.length).toBeGreaterThan(2)
    for (const line of lines) expect(columns(line)).toBeLessThanOrEqual(30)
    expect(lines.join(language === 'en' ? ' ' : '').trim()).toBe(whole.trim())
  }
})

test('what is laid out, or will be copied, is left as it is', async () => {
  expect(await said('en', laidOut(LONG), 30)).toBe(`${LONG}`)
})

test('a help has 80 columns in a pipe, and no more than a narrow terminal', async () => {
  const help = laidOut(folded(say`  ${'word '.repeat(40).trim()}`, 4))
  for (const [width, widest] of [
    [null, 80],
    [200, 80],
    [50, 50],
  ] as const) {
    const lines = (await said('en', help, width)).split('\n')
    expect(Math.max(...lines.map(columns))).toBeGreaterThan(widest - 8)
    expect(Math.max(...lines.map(columns))).toBeLessThanOrEqual(widest)
    expect(lines.slice(1).every((line) => line.startsWith('    word'))).toBe(true)
  }
})
