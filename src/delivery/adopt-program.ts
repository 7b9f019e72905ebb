// An entry of lark-mcp that holds a token becomes `connect -- CMD…`: the same command without token, app and address,
// which all come from us. Data → data.

import { say } from '../sentence.ts'
import {
  type AdoptionResult,
  type ConnectStart,
  comesFromElsewhere,
  isOfLark,
  NO_TEXT,
  REFERENCE,
  refused,
  replaceKeys,
  variablesFor,
  withEnvironment,
  withExtras,
} from './adoption.ts'
import { isReference } from './edit.ts'
import { ENV_NAMES, larkMcpAmong } from './mcp-entry.ts'
import { type Data, isTable } from './text-style.ts'

/** Options of lark-mcp that go, each with its value: it gets the token, the app and Feishu's address from us. */
const OPTIONS: Readonly<Record<string, 'token' | 'appId' | 'appSecret' | 'domain'>> = {
  '-u': 'token',
  '--user-access-token': 'token',
  '-a': 'appId',
  '--app-id': 'appId',
  '-s': 'appSecret',
  '--app-secret': 'appSecret',
  '-d': 'domain',
  '--domain': 'domain',
}
/** The same as variables, and tokens that programs around lark-mcp keep there. */
const VARIABLES: Readonly<Record<string, 'token' | 'appId' | 'appSecret' | 'other'>> = {
  ...Object.fromEntries(ENV_NAMES.map((name) => [name, 'other'])),
  USER_ACCESS_TOKEN: 'token',
  APP_ID: 'appId',
  APP_SECRET: 'appSecret',
}
const REFRESH_TOKEN = /(?:^|_)REFRESH_TOKEN$/i
/** Programs that do not hand their environment on, which is where lark-mcp gets its token from. */
const CLOSED = /(?:^|[\\/])(?:docker|podman|nerdctl|kubectl|wsl|ssh|sudo|doas)(?:\.exe)?$/i

type FoundValues = Record<'token' | 'appId' | 'appSecret' | 'domain', string[]>

/** The command line of an entry, and the same entry with another one. */
type Line = { words: unknown[]; withWords: (words: readonly string[]) => Data }

/** The command line of an entry; null: it has none of a form that is known. */
export function lineOf(entry: Data): Line | null {
  const { command, args = [] } = entry
  if (Array.isArray(command)) {
    return { words: command, withWords: (words) => ({ ...entry, command: [...words] }) }
  }
  if (typeof command !== 'string' || !Array.isArray(args)) return null
  const withWords = ([first = '', ...rest]: readonly string[]) => {
    // Right behind the command, where there are none yet.
    const added = Object.hasOwn(entry, 'args') ? {} : { args: rest }
    return replaceKeys({ ...entry, args: rest }, { command: { command: first, ...added } })
  }
  return { words: [command, ...args], withWords }
}

/** Takes the options out of lark-mcp's words. */
function splitWords(words: readonly string[]): { kept: string[]; found: FoundValues } {
  const found: FoundValues = { token: [], appId: [], appSecret: [], domain: [] }
  const kept: string[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? ''
    const [, option = '', attached = ''] = /^(--[a-z-]+|-[ausd])(?:=?([\s\S]*))$/.exec(word) ?? []
    const meaning = OPTIONS[option]
    if (meaning === undefined) kept.push(word)
    else if (attached !== '') found[meaning].push(attached)
    else {
      index += 1
      found[meaning].push(words[index] ?? '')
    }
  }
  return { kept, found }
}

/** What becomes of an entry of lark-mcp; null: it is none, or holds no token. */
export function adoptProgram(entry: Data, start: ConnectStart): AdoptionResult {
  if (isTable(entry.command)) {
    // Zed's older form: what is started stands in a table of its own, and the program is its path.
    const { path: command, ...rest } = entry.command
    const verdict = adoptProgram({ command, ...rest }, start)
    if (verdict?.kind !== 'adopt') return verdict
    const { command: path, ...others } = verdict.adoption.entry
    return {
      kind: 'adopt',
      adoption: { ...verdict.adoption, entry: { ...entry, command: { path, ...others } } },
    }
  }
  const line = lineOf(entry)
  const at = line ? larkMcpAmong(line.words) : -1
  if (!line || at === -1 || !line.words.every((word) => typeof word === 'string')) return null
  const words = line.words as string[]
  const { kept, found } = splitWords(words.slice(at + 1))
  const tableName = isTable(entry.environment) ? 'environment' : 'env'
  const env = isTable(entry[tableName]) ? entry[tableName] : {}
  const ours = Object.entries(env).filter(
    ([name]) => Object.hasOwn(VARIABLES, name) || REFRESH_TOKEN.test(name),
  )
  for (const [name, value] of ours) {
    const meaning = VARIABLES[name] ?? 'other'
    if (meaning === 'token' && typeof value !== 'string') return NO_TEXT
    if (meaning !== 'other' && typeof value === 'string') found[meaning].push(value)
  }
  if (found.token.length === 0) return null
  if (typeof env.LARK_DOMAIN === 'string') found.domain.push(env.LARK_DOMAIN)
  if (found.token.some(comesFromElsewhere)) return REFERENCE
  if (CLOSED.test(words[0] ?? '')) {
    return refused(
      say`${words[0] ?? ''} does not hand on the environment, from which lark-mcp gets its token`,
    )
  }
  const { command, args } = start.entry
  // It speaks to Feishu where it is told nothing else.
  const isLark = isOfLark(found.domain.at(-1) ?? 'https://open.feishu.cn')
  const others = Object.fromEntries(
    Object.entries(env).filter((pair) => !ours.some(([name]) => name === pair[0])),
  )
  const changed = line.withWords([command, ...args, '--', ...words.slice(0, at + 1), ...kept])
  const [appId] = found.appId
  const [appSecret] = found.appSecret
  const isLiteral = appId && appSecret && !isReference(appId) && !isReference(appSecret)
  return {
    kind: 'adopt',
    adoption: {
      entry: withEnvironment(withExtras(changed, start.entry), tableName, {
        ...variablesFor(isLark, start),
        ...others,
      }),
      secrets: [
        ...found.token,
        ...found.appSecret,
        ...ours.flatMap(([name, value]) => secretOf(name, value)),
      ],
      app: isLiteral ? { appId, appSecret } : null,
      isLark,
      appByReference: !isLiteral && found.appId.length + found.appSecret.length > 0,
      exposed: [],
    },
  }
}

function secretOf(name: string, value: unknown): string[] {
  return typeof value === 'string' && VARIABLES[name] !== 'appId' ? [value] : []
}
