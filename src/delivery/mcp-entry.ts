// Where an MCP server's entry holds the user access token: the same rules for every client and format.

import { isReference, type Refusal, refuse } from './edit.ts'

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
const ENV_NAMES = [
  'USER_ACCESS_TOKEN',
  'FEISHU_USER_ACCESS_TOKEN',
  'LARK_USER_ACCESS_TOKEN',
  'LARKSUITE_CLI_USER_ACCESS_TOKEN',
  'FEISHU_USER_TOKEN',
  'FEISHU_ACCESS_TOKEN',
  'LARK_ACCESS_TOKEN',
  'FEISHU_MCP_UAT',
]
const HEADER = 'x-lark-mcp-uat'

/** Programs whose own `-u` means something else (`python -u FILE`, `docker run -u USER`, `env -u NAME`). */
const OTHER_SHORT_OPTION =
  /^(?:python[\d.]*w?|pypy[\d.]*|py|docker|podman|nerdctl|sudo|doas|runuser|su|env|ssh|curl|socat|stdbuf|unshare)(?:\.exe)?$/i

type Entry = Record<string, unknown>

function isTable(value: unknown): value is Entry {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function own(table: Entry, key: string): unknown {
  return Object.hasOwn(table, key) ? table[key] : undefined
}

/** Whether the `-u` after these words is the option of some other program that is wrapped around the server. */
function isOtherOption(words: readonly unknown[]): boolean {
  const texts = words.filter((word) => typeof word === 'string')
  if (texts.some((word) => /lark|feishu/i.test(word))) return false
  return texts.some((word) => OTHER_SHORT_OPTION.test(word.replace(/^.*[\\/]/, '')))
}

function findInArgs(entry: Entry): EntryPlace | Refusal | null {
  const args = own(entry, 'args')
  if (!Array.isArray(args)) return null
  const places: EntryPlace[] = []
  for (let index = 0; index < args.length; index++) {
    const word: unknown = args[index]
    if (typeof word !== 'string') continue
    const option = [LONG_OPTION, SHORT_OPTION].find((name) => word === name || word.startsWith(`${name}=`))
    if (!option) continue
    if (option === SHORT_OPTION && isOtherOption([entry.command, ...args.slice(0, index)])) continue
    const name = `args["${option}"]`
    if (word === option) {
      index += 1
      const value: unknown = args[index]
      if (typeof value !== 'string' || value.startsWith('-')) return refuse(`${option} has no value after it`)
      places.push({ path: ['args', index], name, prefix: '', value, inArgv: true })
    } else {
      const prefix = `${option}=`
      places.push({ path: ['args', index], name, prefix, value: word.slice(prefix.length), inArgv: true })
    }
  }
  if (places.length > 1) return refuse('the arguments give the token more than once')
  return places[0] ?? null
}

function findInEnv(entry: Entry): EntryPlace | Refusal | null {
  const env = own(entry, 'env')
  if (!isTable(env)) return null
  const name = ENV_NAMES.find((candidate) => Object.hasOwn(env, candidate))
  if (!name) return null
  const value = env[name]
  if (typeof value !== 'string') return refuse(`env.${name} is not a string`)
  return { path: ['env', name], name: `env.${name}`, prefix: '', value, inArgv: false }
}

function findInHeaders(entry: Entry): EntryPlace | Refusal | null {
  for (const table of ['headers', 'http_headers']) {
    const headers = own(entry, table)
    if (!isTable(headers)) continue
    const names = Object.keys(headers).filter((name) => name.toLowerCase() === HEADER)
    const [name] = names
    if (name === undefined) continue
    const value = headers[name]
    if (names.length > 1) return refuse(`${table} has the header ${name} more than once`)
    if (typeof value !== 'string') return refuse(`${table}.${name} is not a string`)
    return { path: [table, name], name: `${table}.${name}`, prefix: '', value, inArgv: false }
  }
  return null
}

/** Codex forwards variables by name: such an entry holds a reference, not a copy. */
function findForwarded(entry: Entry): Refusal | null {
  const forwarded = JSON.stringify([own(entry, 'env_vars'), own(entry, 'env_http_headers')]) ?? ''
  const name = ENV_NAMES.find((candidate) => forwarded.includes(`"${candidate}"`))
  return name ? refuse(`it takes ${name} from the environment, and a reference is never overwritten`) : null
}

/**
 * Finds the token's place in an entry: `-u` or `--user-access-token` in `args`, then `env`, then `headers`. The first
 * one found decides, also when it holds a reference, which is never overwritten.
 */
export function findEntryPlace(entry: unknown): EntryPlace | Refusal {
  if (!isTable(entry)) return refuse('the entry is not an object')
  const place = findInArgs(entry) ?? findInEnv(entry) ?? findInHeaders(entry) ?? findForwarded(entry)
  if (place === null) {
    return refuse(
      `the entry has no place for the token: give it env.${ENV_NAMES[0]} (or the header X-Lark-MCP-UAT) with any value`,
    )
  }
  if ('refused' in place || !isReference(place.value)) return place
  return refuse(`${place.name} holds a reference, which is never overwritten with a token`)
}
