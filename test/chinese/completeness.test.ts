// Every sentence of the sources has its Chinese, found by its text, exactly; every Chinese has its sentence; and nothing
// that reads like a sentence is a plain string, which no table translates. What is missing is named with its line.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parseAst } from 'vitest/node'
import { hasWords, keyOf, linesOf, TABLES } from '../../src/chinese/sentences.ts'
import { COMMANDS } from '../../src/cli/commands.ts'
import { say } from '../../src/sentence.ts'
import { englishIn } from '../support/english.ts'

/** Where plain English is right: the forms of the commands, the tools and what they tell models, bilingual pages, answers to programs. */
const ELSEWHERE =
  /^(?:chinese\/|cli\/commands\.ts|bridge\/|mcp\/|gateway\/|timer\/(?:systemd|launchd|task-scheduler)\.ts|loopback\/page|authorize\/callback-page\.ts|store\/keychain-child\.ts|oauth\/feishu-errors\.ts|.*\.d\.ts)/

/** Two words or more that are no sentence of ours. */
const NO_SENTENCE: readonly string[] = [
  'npx -y feishu-token-mcp',
  'npx -y @larksuiteoapi/lark-mcp mcp --token-mode user_access_token',
  'feishu-token-mcp exec --for … -- …',
  // A diff.
  '<present value>',
  '<access token>',
  'new file',
  'the token',
  '<left out>',
  // Told to nobody: keys, names, and what can only be our own mistake.
  'feishu-token-mcp key id\0',
  'refresh token\0',
  'feishu-token-mcp delivery\n…',
  'no answer from its process',
  'an exchanged authorization holds an access token',
  'a row was asked for and not answered',
  'the time is up',
  'Tool … not found',
  'too late',
  'the proxy hung up',
]

/** How a command's operands are written, behind which the program and its help are named. */
const OPERANDS: readonly string[] = [
  'gateway takes options alone, or `key new NAME`, `key list`, `key remove NAME`',
  '`timer` takes `install`, `remove` or `status`',
]

type Node = {
  type?: string
  start?: number
  value?: unknown
  tag?: Node & { name?: string }
  callee?: Node & { name?: string }
  quasi?: Node
  expressions?: Node[]
  quasis?: { value: { cooked: string } }[]
}

/** A text of a source; what stands between its parts is a value. */
type Text = { line: number; parts: string[]; isSentence: boolean }

function textsOf(source: string): Text[] {
  const texts: Text[] = []
  const note = ({ start = 0 }: Node, parts: string[], isSentence: boolean) =>
    texts.push({ line: source.slice(0, start).split('\n').length, parts, isSentence })
  const partsOf = (node: Node | undefined) => (node?.quasis ?? []).map(({ value }) => value.cooked)
  const visit = (node: Node | null): void => {
    if (typeof node !== 'object' || node === null) return
    if (node.type === 'ImportDeclaration' || node.type === 'ImportExpression') return
    if (node.type === 'TaggedTemplateExpression' && node.tag?.name === 'say') {
      note(node, partsOf(node.quasi), true)
      for (const value of node.quasi?.expressions ?? []) visit(value)
      return
    }
    if (node.type === 'CallExpression' && node.callee?.name === 'typed') return
    if (node.type === 'Literal' && typeof node.value === 'string') note(node, [node.value], false)
    if (node.type === 'TemplateLiteral') note(node, partsOf(node), false)
    for (const child of Object.values(node)) visit(child as Node)
  }
  visit(parseAst(source, { lang: 'ts' }) as unknown as Node)
  return texts
}

/** What the lines of a sentence are found by. */
function keysOf(parts: string[]): string[] {
  const template = Object.assign([...parts], { raw: parts })
  const sentence = say(template, ...parts.slice(1).map(() => ''))
  return linesOf(sentence)
    .map((line) => keyOf(line).key)
    .filter(hasWords)
}

const keyOfRow = (english: string) => english.replace(/\{\w+\}/g, '{}')
const ROWS = TABLES.flatMap((table) => Object.entries(table))
const TRANSLATED = new Set(ROWS.map(([english]) => keyOfRow(english)))

/** The lines of a source's sentences that have no Chinese. */
function untranslated(source: string): string[] {
  return textsOf(source)
    .filter(({ isSentence }) => isSentence)
    .flatMap(({ line, parts }) => keysOf(parts).map((key) => ({ line, key })))
    .filter(({ key }) => !TRANSLATED.has(key))
    .map(({ line, key }) => `line ${line}: ${key}`)
}

/** What reads like a sentence and is a plain string. */
function plainProse(source: string): string[] {
  return textsOf(source)
    .filter(({ isSentence, parts }) => !isSentence && !NO_SENTENCE.includes(parts.join('…')))
    .filter(({ parts: [text = ''] }) => !/^(?:select|insert|update|create|p\.record)\b/.test(text.trim()))
    .filter(({ parts }) => englishIn(parts.join('9')) !== null)
    .map(({ line, parts }) => `line ${line}: ${parts.join('…')}`)
}

const FILES = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.startsWith('chinese/'))
  .sort()
const read = (path: string) => readFileSync(join('src', path), 'utf8')

test.each(FILES)('%s: each sentence has its Chinese', (path) => {
  expect(untranslated(read(path))).toEqual([])
})

test.each(FILES.filter((path) => !ELSEWHERE.test(path)))('%s: no sentence is a plain string', (path) => {
  expect(plainProse(read(path))).toEqual([])
})

describe('the tables', () => {
  const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)

  test('hold no Chinese whose sentence is gone', () => {
    const said = new Set(
      FILES.flatMap((path) => textsOf(read(path)).filter(({ isSentence }) => isSentence)).flatMap(
        ({ parts }) => keysOf(parts),
      ),
    )
    expect(ROWS.map(([english]) => english).filter((english) => !said.has(keyOfRow(english)))).toEqual([])
  })

  test('say 授权 where Feishu’s button does, and 账号 for a profile', () => {
    const spoken = ROWS.filter(([, chinese]) => chinese.includes('批准'))
    expect(spoken).toEqual([])
    // 配置 is configuration alone: of a client, in TOML, and what is not set up.
    const profiles = ROWS.filter(
      ([english, chinese]) => /\bprofile/i.test(english) && chinese.includes('配置'),
    )
    expect(profiles).toEqual([])
  })

  test('name no command of ours without the program as it was started', () => {
    const names = Object.keys(COMMANDS).join('|')
    const bare = new RegExp(
      `\`(?:${names})\\b|\\b(?:run|use|with|give) (?:${names})(?! [{"])(?! token)\\b`,
      'i',
    )
    const spoken = ROWS.filter(([english]) => !OPERANDS.includes(english) && bare.test(english))
    expect(spoken).toEqual([])
  })

  test('hold each sentence once', () => {
    const keys = ROWS.map(([english]) => keyOfRow(english))
    expect(keys.filter((one, index) => keys.indexOf(one) !== index)).toEqual([])
  })

  test.each(ROWS)('%s', (english, chinese) => {
    expect(chinese).toMatch(/\p{Script=Han}/u)
    expect([english, chinese].filter((text) => /[.。]$/.test(text))).toEqual([])
    expect(holes(chinese).filter((name) => !holes(english).includes(name))).toEqual([])
    expect(new Set(holes(english)).size).toBe(holes(english).length)
  })
})

describe('the test bites:', () => {
  const source = [
    'const a = say`No one approved in time.`',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a source that holds one
    "const b = say`No ${say`such thing`} is here,\n  ${x ? `it` : 'nobody knows of it'}: ${call('token_status')}.`",
    "log('it was said plainly')",
  ].join('\n')

  test('on a sentence that has no Chinese', () => {
    expect(untranslated(source)).toEqual(['line 2: No {} is here, {}: {}', 'line 2: such thing'])
  })

  test('on a sentence that is a plain string', () => {
    expect(plainProse(source)).toEqual(['line 3: nobody knows of it', 'line 4: it was said plainly'])
  })
})
