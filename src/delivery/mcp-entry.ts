// Where an MCP server's entry holds the user access token: the same rules for every client and format.

import { say } from '../sentence.ts'
import { type EditRefusal, isReference, refuse } from './edit.ts'
import { type Data, isTable } from './text-style.ts'

/** The place of the token within an entry. */
type EntryPlace = {
  /** From the entry to the string. */
  path: (string | number)[]
  /** The place's name for people; it does not change when arguments are added before it. */
  name: string
  /** What stands before the token within the string, such as `--user-access-token=`. */
  prefix: string
  value: string
  inArgv: boolean
}

const LONG_OPTION = '--user-access-token'
const SHORT_OPTION = '-u'

/** The names programs read the token from, the most specific convention first (lark-mcp's own). */
export const ENV_NAMES: readonly string[] = [
  'USER_ACCESS_TOKEN',
  'FEISHU_USER_ACCESS_TOKEN',
  'LARK_USER_ACCESS_TOKEN',
  'LARKSUITE_CLI_USER_ACCESS_TOKEN',
  'FEISHU_USER_TOKEN',
  'FEISHU_ACCESS_TOKEN',
  'LARK_ACCESS_TOKEN',
  'FEISHU_MCP_UAT',
]
/** The token's header at Feishu's hosted server: the bare token. */
export const TOKEN_HEADER = 'X-Lark-MCP-UAT'

/** A header's name is the same in any case (RFC 9110 §5.1). */
export function isTokenHeader(name: string): boolean {
  return name.toLowerCase() === TOKEN_HEADER.toLowerCase()
}

/** lark-mcp itself: the name of a program or package, with or without a version, or a script of its folder. */
const LARK_MCP = /^(?:.*[\\/])?lark-(?:openapi-)?mcp(?:[@:][^\\/]*|\.(?:exe|cmd)|[\\/].*\.[cm]?js)?$/i
/** Options of npx and its like that take no value; what stands behind any other option may be its value. */
const WITHOUT_VALUE = /^-(?:[yq]|-yes|-quiet|-silent|-prefer-offline|-prefer-online|-)$/
/** What a Feishu access token looks like: `u-…` or a JSON Web Token. */
const TOKEN_SHAPE = /^(?:u-[\w.~+/-]{16,}|eyJ[\w.-]{20,})=*$/

function own(table: Data, key: string): unknown {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** The words of the command line, and where each stands; OpenCode writes them all into `command`. */
function wordsOf(entry: Data): { word: unknown; path: (string | number)[] }[] {
  return ['command', 'args'].flatMap((key) => {
    const value = own(entry, key)
    return Array.isArray(value)
      ? value.map((word: unknown, index) => ({ word, path: [key, index] }))
      : [{ word: value, path: [key] }]
  })
}

/** Which of these words starts lark-mcp, so that an option behind it is its own; -1: none. */
export function larkMcpAmong(words: readonly unknown[]): number {
  return words.findIndex((word, index) => {
    if (typeof word !== 'string' || !LARK_MCP.test(word)) return false
    const before = words[index - 1]
    return typeof before !== 'string' || !before.startsWith('-') || WITHOUT_VALUE.test(before)
  })
}

function findInArgs(entry: Data): EntryPlace | EditRefusal | null {
  const words = wordsOf(entry)
  const places: EntryPlace[] = []
  for (const [index, { word, path }] of words.entries()) {
    if (typeof word !== 'string') continue
    const option = [LONG_OPTION, SHORT_OPTION].find((name) => word === name || word.startsWith(`${name}=`))
    if (!option) continue
    const prefix = word === option ? '' : `${option}=`
    const next = words[index + 1]
    const value = prefix ? word.slice(prefix.length) : next?.word
    // Many a program around the server (wsl, docker, sudo, chpst, python) has a `-u` of its own.
    const isOwn =
      option === LONG_OPTION || larkMcpAmong(words.slice(0, index).map((before) => before.word)) !== -1
    if (!isOwn && !(typeof value === 'string' && TOKEN_SHAPE.test(value))) continue
    if (typeof value !== 'string' || (!prefix && value.startsWith('-'))) {
      return refuse(say`${option} has no value after it`)
    }
    const name = `${path[0]}["${option}"]`
    places.push({ path: prefix || !next ? path : next.path, name, prefix, value, inArgv: true })
  }
  if (places.length > 1) return refuse(say`the arguments give the token more than once`)
  return places[0] ?? null
}

function findInEnv(entry: Data): EntryPlace | EditRefusal | null {
  for (const table of ['env', 'environment']) {
    const env = own(entry, table)
    if (!isTable(env)) continue
    const name = ENV_NAMES.find((candidate) => Object.hasOwn(env, candidate))
    if (!name) continue
    const value = env[name]
    if (typeof value !== 'string') return refuse(say`${table}.${name} is not a string`)
    return { path: [table, name], name: `${table}.${name}`, prefix: '', value, inArgv: false }
  }
  return null
}

function findInHeaders(entry: Data): EntryPlace | EditRefusal | null {
  for (const table of ['headers', 'http_headers']) {
    const headers = own(entry, table)
    if (!isTable(headers)) continue
    const names = Object.keys(headers).filter(isTokenHeader)
    const [name] = names
    if (name === undefined) continue
    const value = headers[name]
    if (names.length > 1) return refuse(say`${table} has the header ${name} more than once`)
    if (typeof value !== 'string') return refuse(say`${table}.${name} is not a string`)
    return { path: [table, name], name: `${table}.${name}`, prefix: '', value, inArgv: false }
  }
  return null
}

/** Codex forwards variables by name: such an entry holds a reference, not a copy. */
function findForwarded(entry: Data): EditRefusal | null {
  const forwarded = JSON.stringify([own(entry, 'env_vars'), own(entry, 'env_http_headers')]) ?? ''
  const name = ENV_NAMES.find((candidate) => forwarded.includes(`"${candidate}"`))
  return name
    ? refuse(say`it takes ${name} from the environment, and a reference is never overwritten`)
    : null
}

/** Why an entry has no place for the token. */
function refusePlaceless(entry: Data): EditRefusal {
  const advice = say`give it env.${ENV_NAMES[0] ?? ''} (or the header X-Lark-MCP-UAT) with any value`
  const foreign = wordsOf(entry).some(({ word }) => word === SHORT_OPTION)
  return refuse(
    foreign
      ? say`the entry has no place for the token (its -u may be another program's): ${advice}`
      : say`the entry has no place for the token: ${advice}`,
  )
}

/**
 * Finds the token's place in an entry: `-u` or `--user-access-token` in the command line, then the environment, then
 * the headers. The first one found decides, also when it holds a reference, which is never overwritten.
 */
export function findEntryPlace(entry: unknown): EntryPlace | EditRefusal {
  if (!isTable(entry)) return refuse(say`the entry is not an object`)
  const started = own(entry, 'command')
  if (isTable(started)) {
    // Zed's older form: what is started stands in a table of its own.
    const inner = findEntryPlace(started)
    return 'refused' in inner ? inner : { ...inner, path: ['command', ...inner.path] }
  }
  const place = findInArgs(entry) ?? findInEnv(entry) ?? findInHeaders(entry) ?? findForwarded(entry)
  if (place === null) return refusePlaceless(entry)
  if ('refused' in place || !isReference(place.value)) return place
  return refuse(say`${place.name} holds a reference, which is never overwritten with a token`)
}
