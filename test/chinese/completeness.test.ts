// Every sentence that the sources say to people has its Chinese, and every Chinese its sentence. Whoever writes a new
// sentence is told here to translate it, in src/chinese/.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { transformSync } from 'esbuild'
import { describe, expect, test } from 'vitest'
import { parseAst } from 'vitest/node'
import { forTerminal } from '../../src/chinese/for-terminal.ts'
import { inChinese, TABLES } from '../../src/chinese/translation.ts'
import { englishIn } from '../support/english.ts'

/** Where people at the command line are not spoken to: the tools, the pages (bilingual themselves), other programs. */
const ELSEWHERE =
  /^(?:chinese\/|mcp\/|gateway\/|loopback\/page|authorize\/callback-page\.ts|store\/keychain-child\.ts|oauth\/feishu-errors\.ts|.*\.d\.ts)/

/** Two words or more that are no sentence of ours. */
const NO_SENTENCE: readonly string[] = [
  'setup [--app-id ID --app-secret-stdin [--brand feishu|lark] | --create-app]',
  'profile list | profile remove NAME [--force] | profile rename NAME NEW',
  'key --move-to keychain|file|env',
  'store init | store copy --from file|postgres|URL --to file|postgres|URL',
  'npx -y feishu-token-mcp',
  'npx -y @larksuiteoapi/lark-mcp mcp --token-mode user_access_token',
  'feishu-token-mcp exec --for … -- …',
  'gateway [--listen HOST:PORT] [--allow-network] | gateway key new NAME | gateway key list | gateway key remove NAME',
  'exec [--no-gateway] [--for NAME] [--env NAME=VALUE]… -- CMD …',
  'connect [URL] [--tools A,B,…] [--header NAME=VALUE]…',
  // Words that the Chinese of the whole sentence does without.
  'approves again',
  // A diff.
  '<present value>',
  '<access token>',
  'new file, mode 0600',
  'the token',
  '<left out>',
  // In the log, which is English.
  'the answer could not be written to stdout (…)',
  'the list was not kept: …',
  // Told to nobody: keys, names, and what can only be our own mistake.
  'feishu-token-mcp key id\0',
  'refresh token\0',
  'feishu-token-mcp delivery\n…',
  'device authorization: …',
  'an exchanged authorization holds an access token',
  'a row was asked for and not answered',
  'too late',
  'the client cancelled it',
  'no answer in time',
  'Maximum reconnection attempts',
  // Told to other servers and to clients, which speak English.
  'The client gave no answer.',
  'The client does not offer this.',
  'Tool … not found',
  'the proxy hung up',
]

/** Sentences that the sources put together from pieces. */
const PUT_TOGETHER: readonly string[] = [
  'Kept for profile "{profile}" (and for profiles without an app of their own)',
  'Open this page and approve ({why}):',
  'refreshed elsewhere',
  'Feishu refused the refresh token with {#code} at {time}',
  'Feishu refused the refresh token at {time}',
  'user_info answered {answer} without a person: {cause}',
  'Feishu gave no code for a device: "{said}"',
  'Feishu offers no creation of apps here: "{said}"',
  'Restore the file from a backup if there is one; otherwise move {path} away, set FEISHU_APP_ID and FEISHU_APP_SECRET',
]

/** All texts of a source file; a value within one is a gap. What is added up is one text. */
function textsOf(path: string): string[][] {
  const source = readFileSync(join('src', path), 'utf8')
  const { code } = transformSync(source, { loader: 'ts', minifySyntax: true, format: 'esm', charset: 'utf8' })
  const texts: string[][] = []
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    const { type, value, quasis } = node as {
      type?: string
      value?: unknown
      quasis?: { value: { cooked: string } }[]
    }
    if (type === 'ImportDeclaration' || type === 'ImportExpression') return
    if (type === 'Literal' && typeof value === 'string') texts.push([value])
    if (type === 'TemplateLiteral' && quasis) texts.push(quasis.map((part) => part.value.cooked))
    for (const child of Object.values(node)) visit(child)
  }
  visit(parseAst(code))
  return texts
}

/** The text with its values: a number, and nothing where a sentence may go on with more of itself or not. */
function filled(parts: string[], value: (number: number) => string): string {
  return parts.reduce((text, part, index) => {
    const optional = /(?:\w|\.|\)|^")$/.test(parts[index - 1] ?? '')
    return `${text}${optional ? '' : value(9000 + index)}${part}`
  })
}

/** What stays English of a text; a piece of a sentence may need what stands before or behind it. */
function untranslated(parts: string[]): string | null {
  const numbered = filled(parts, String)
  const sentences = filled(parts, (number) => `${number}.`)
  const whole = parts.join('9000')
  const tries = [
    numbered,
    sentences,
    whole,
    `9000 ${whole}`,
    `${whole} 9000`,
    `9000 ${whole} 9000`,
    `FAILED: ${numbered}`,
    `${whole}:  9000`,
  ]
  const left = tries.map((text) => englishIn(inChinese(forTerminal(text, 'command', undefined))))
  return left.includes(null) ? null : (left[0] ?? null)
}

const FILES = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !ELSEWHERE.test(path))
  .sort()

describe.each(FILES)('%s', (path) => {
  test('says nothing to people that has no Chinese', () => {
    const left = textsOf(path)
      // SQL.
      .filter(([text = '']) => !/^(?:select|insert|update|create|p\.record)\b/.test(text.trim()))
      .filter((parts) => englishIn(parts.join('9')) !== null && !NO_SENTENCE.includes(parts.join('…')))
      .filter((parts) => untranslated(parts) !== null)
      .map((parts) => parts.join('…'))
    expect(left).toEqual([])
  })
})

describe('the tables', () => {
  // The same texts as the command line says them, with a number for each value.
  const said = FILES.flatMap(textsOf).map((parts) => forTerminal(parts.join('9000'), 'command', undefined))
  const corpus = said.join('\n').toLowerCase()
  const rows = TABLES.slice(0, -1).flatMap((table) => Object.entries(table))

  test('hold no Chinese whose sentence is gone', () => {
    const pieces = (english: string) =>
      english.split(/\{#?\w+\}|`/).map((piece) => piece.trim().toLowerCase())
    const gone = rows.filter(([english]) => !pieces(english).every((piece) => corpus.includes(piece)))
    // Node's own `parseArgs` says these.
    const ours = gone
      .map(([english]) => english)
      .filter((english) => !/^(?:Unknown option|Option ')/.test(english))
    expect(ours).toEqual(PUT_TOGETHER)
  })

  test.each(rows)('%s', (english, chinese) => {
    const holes = (text: string) => [...text.matchAll(/\{#?(\w+)\}/g)].map(([, name]) => name)
    expect(chinese).toMatch(/\p{Script=Han}/u)
    expect([english, chinese].filter((text) => /[.。]$/.test(text))).toEqual([])
    expect(holes(chinese).filter((name) => !holes(english).includes(name))).toEqual([])
    expect(new Set(holes(english)).size).toBe(holes(english).length)
  })
})
