import { expect, test } from 'vitest'
import { inLanguage } from '../../src/chinese/voice.ts'
import { OPTIONS, readArgv, SHARED } from '../../src/cli/argv.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { help, helpOn } from '../../src/cli/help.ts'
import type { Terminal } from '../../src/cli/io.ts'
import { showPicture } from '../../src/cli/login.ts'
import { runCli } from '../../src/cli/run.ts'
import { HOSTED_TOOLS } from '../../src/oauth/hosted-mcp.ts'
import { columns, type Sentence, say } from '../../src/sentence.ts'

const entries = Object.entries(COMMANDS)

/** A terminal that folds nothing here. */
const WIDE = 200

function terminal(stage: { stderr?: boolean; stdout?: boolean; environment?: Record<string, string> } = {}) {
  const said = { stdout: '', stderr: '' }
  const process = {
    version: '1.2.3',
    command: 'feishu-token-mcp',
    environment: { FEISHU_LANG: 'en', ...stage.environment },
    width: { stdout: stage.stdout ? WIDE : null, stderr: stage.stderr ? WIDE : null },
    stdout: (text: string) => {
      said.stdout += text
    },
    stderr: (text: string) => {
      said.stderr += text
    },
    closing: new AbortController().signal,
    over: new Promise<never>(() => undefined),
  } as unknown as Terminal
  return { said, process }
}

/** Without the folds of a narrow terminal. */
function unfolded(text: string): string {
  return text.replace(/\n {8,}(?=\S)/g, ' ')
}

async function failed(args: string[], stage: Parameters<typeof terminal>[0] = {}): Promise<string> {
  const { said, process } = terminal(stage)
  expect(await runCli(readArgv(args), process)).toBe(2)
  return said.stderr
}

test.each(entries)(
  '%s --help names its options, an example that the table takes, and its exit codes',
  async (name, entry) => {
    for (const args of [
      [name, '--help'],
      [name, '-h'],
      ['help', name],
      ['-h', name, '--json'],
    ]) {
      const { said, process } = terminal()
      expect(await runCli(readArgv(args), process)).toBe(0)
      expect(said.stdout).toBe(String(helpOn('feishu-token-mcp', entry)))
      expect(said.stderr).toBe('')
    }
    const text = unfolded(String(helpOn('feishu-token-mcp', entry)))
    for (const form of entry.forms) expect(text).toContain(`feishu-token-mcp ${form}\n`)
    for (const option of Object.keys(entry.options))
      expect(text).toMatch(new RegExp(`^  --${option}[ …]`, 'm'))
    // The options stand in one column, as wide as terminals show it.
    const rows = (/^Options:\n(.*?)\n\n/ms.exec(text)?.[1] ?? '').split('\n')
    expect(new Set(rows.map((row) => row.search(/(?<= {2}--.+ {2})\S/))).size).toBe(1)
    expect(String(entry.does)).toMatch(/^[A-Z].*[^.]$/)
    expect(text).toMatch(/^Example:\n {2}feishu-token-mcp \S+/m)
    expect(text).toMatch(/^Exit codes: (0 |those of the command)/m)
    // What the example says is a command line that this command takes.
    const words = (entry.example.split(/ --(?: |$)| </)[0] ?? '').split(' ')
    expect(words[0]).toBe(name)
    const options = words.filter((word) => word.startsWith('--')).map((word) => word.slice(2))
    const taken = [...Object.keys(entry.options), ...SHARED]
    expect(options.filter((option) => !taken.includes(option))).toEqual([])
    const chinese = await inLanguage('zh', helpOn('feishu-token-mcp', entry), null)
    expect(chinese).toMatch(/^用法：\n {2}feishu-token-mcp /)
    expect(chinese).toMatch(/^示例：\n/m)
  },
)

test.each(['en', 'zh'] as const)(
  'no line is wider than a terminal, and none loses a word by that (%s)',
  async (language) => {
    const texts = [help('feishu-token-mcp'), ...entries.map(([, entry]) => helpOn('feishu-token-mcp', entry))]
    for (const text of texts) {
      const said = await inLanguage(language, text, null)
      for (const line of said.split('\n')) expect(columns(line), line).toBeLessThanOrEqual(80)
    }
    const { does, forms } = COMMANDS.connect as (typeof COMMANDS)[string]
    const whole = (await inLanguage(language, help('feishu-token-mcp'), null)).replace(
      /\n +/g,
      language === 'en' ? ' ' : '',
    )
    expect(whole).toContain(await inLanguage(language, does, null))
    for (const form of forms) expect(whole).toContain(form)
  },
)

test('the forms of a command name the options that it takes, and no option is taken by none', () => {
  const used = new Set<string>(SHARED)
  for (const [name, { forms, options }] of entries) {
    const named = [...forms.join(' ').matchAll(/--([a-z][a-z-]*)/g)].map(([, option = '']) => option)
    expect([...new Set(named)].toSorted(), name).toEqual(Object.keys(options).toSorted())
    for (const option of named) used.add(option)
  }
  expect(Object.keys(OPTIONS).filter((option) => !used.has(option))).toEqual([])
})

test('the example of connect names tools of the server that it leads to', () => {
  const [, tools = ''] = /--tools (\S+)/.exec(COMMANDS.connect?.example ?? '') ?? []
  expect(HOSTED_TOOLS).toEqual(expect.arrayContaining(tools.split(',')))
})

test('a link whose picture has no room in the terminal is shown without it', async () => {
  let said = ''
  const stderr = (text: Sentence) => {
    said += String(text)
  }
  const show = (columns: number | null) =>
    showPicture({ stderr, width: { stdout: null, stderr: columns } }, 'https://example.com')
  expect([await show(20), said]).toEqual([false, ''])
  expect(await show(null)).toBe(true)
  const width = said.indexOf('\n')
  expect([await show(width), await show(width - 1)]).toEqual([true, false])
})

test.each([
  [['stauts'], 'There is no command "stauts" (did you mean status?). See `feishu-token-mcp --help`.'],
  [['help', 'lgoin'], 'There is no command "lgoin" (did you mean login?). See `feishu-token-mcp --help`.'],
  [['frobnicate'], 'There is no command "frobnicate". See `feishu-token-mcp --help`.'],
  [
    ['status', '--verfy'],
    'There is no option "--verfy" (did you mean --verify?). See `feishu-token-mcp status --help`.',
  ],
  [['login', '--scope'], '--scope needs a value. See `feishu-token-mcp login --help`.'],
  [['status', '--force'], 'The command status has no option --force. See `feishu-token-mcp status --help`.'],
  [['--profile', 'work'], 'An option needs a command before it. See `feishu-token-mcp --help`.'],
])('%j is told in words at a terminal, and with its code to a script', async (args, text) => {
  expect(await failed(args, { stderr: true, environment: { NO_COLOR: '1' } })).toBe(`Error: ${text}\n`)
  expect(await failed(args)).toBe(`FAILED: ${text} [code=config_invalid recovery=fix_config]\n`)
})

test('names in a command line of the Chinese keep the blanks between them', async () => {
  const said = await inLanguage('zh', say`profile takes list, remove NAME, or rename NAME NEW`, null)
  expect(said).toContain('`rename 旧名称 新名称`')
})

test('colour is for a terminal that takes it', async () => {
  expect(await failed(['x'], { stderr: true })).toContain('\x1b[31mError:\x1b[39m ')
  for (const environment of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    expect(await failed(['x'], { stderr: true, environment })).not.toContain('\x1b')
  }
  const chinese = await failed(['x'], { stderr: true, environment: { FEISHU_LANG: 'zh' } })
  expect(chinese).toContain('\x1b[31m错误：\x1b[39m没有命令')
  expect(await failed(['x'], { stdout: true })).not.toContain('\x1b')
  const { said, process } = terminal({ stdout: true })
  await runCli(readArgv(['--help']), process)
  expect(said.stdout).toContain('\x1b[1mCommands:\x1b[22m\n')
  expect(said.stdout.replace(/\x1b\[\d+m/g, '')).toBe(String(help('feishu-token-mcp')))
})
