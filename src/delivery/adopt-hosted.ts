// An entry of the hosted server that holds a token becomes `connect` with its tools and its other headers. Whatever
// `connect` has no form for is a reason to leave it alone. Data → data.

import { type Sentence, say } from '../sentence.ts'
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
import { isSecretName, maskSecrets } from './mask.ts'
import { isTokenHeader } from './mcp-entry.ts'
import { type Data, isTable } from './text-style.ts'

const ADDRESS_KEYS = ['url', 'serverUrl', 'httpUrl', 'uri']
const HEADER_KEYS = ['headers', 'http_headers']
const TRANSPORT_KEYS = ['type', 'transport', 'transportType']
/** Headers that come from somewhere else at each start. */
const COMPUTED_KEYS = ['env_http_headers', 'bearer_token_env_var', 'headersHelper']
const TENANT_HEADER = 'x-lark-mcp-tat'
const TOOLS_HEADER = 'x-lark-mcp-allowed-tools'

/** What becomes of an entry of the hosted server; null: it is none, or holds no token. */
export function adoptHosted(entry: Data, start: ConnectStart): AdoptionResult {
  const place = HEADER_KEYS.find((key) => isTable(entry[key]))
  const headers = place === undefined ? {} : (entry[place] as Data)
  const tokens = Object.entries(headers).filter(([name]) => isTokenHeader(name))
  if (place === undefined || tokens.length === 0) return null
  const addressKey = ADDRESS_KEYS.find((key) => typeof entry[key] === 'string')
  if (addressKey === undefined || Object.hasOwn(entry, 'command')) return null
  const computed = COMPUTED_KEYS.find((key) => Object.hasOwn(entry, key))
  if (computed) return refused(say`connect has no form for its ${computed}`)
  if (!Object.values(headers).every((value) => typeof value === 'string')) return NO_TEXT
  const texts = headers as Record<string, string>
  const secrets = tokens.map(([, value]) => value as string)
  if (secrets.some(comesFromElsewhere)) return REFERENCE
  const address = wordsOfAddress(entry[addressKey] as string, start)
  if ('refused' in address) return refused(address.refused)
  const options = wordsOfHeaders(texts, secrets, start)
  if ('refused' in options) return refused(options.refused)
  const { command, args } = start.entry
  const isLark = isOfLark(entry[addressKey] as string)
  const env = variablesFor(isLark, start)
  const words = [...args, ...address.words, ...options.words]
  // OpenCode calls it remote, and starts a program by one list.
  const isOpenCode = entry.type === 'remote'
  const line: Data = isOpenCode ? { command: [command, ...words] } : { command, args: words }
  const kind = isOpenCode ? 'local' : 'stdio'
  const present = TRANSPORT_KEYS.filter((key) => typeof entry[key] === 'string')
  const typed = present.length === 0 && start.entry.type ? { type: start.entry.type } : {}
  const changed = replaceKeys(entry, {
    [addressKey]: { ...typed, ...line },
    [place]: {},
    ...Object.fromEntries(present.map((key) => [key, { [key]: kind }])),
  })
  const whole = withExtras(changed, start.entry)
  return {
    kind: 'adopt',
    adoption: {
      entry:
        Object.keys(env).length > 0 ? withEnvironment(whole, isOpenCode ? 'environment' : 'env', env) : whole,
      secrets: [...secrets, ...secretHeaders(texts)],
      app: null,
      isLark,
      appByReference: false,
      exposed: options.exposed,
    },
  }
}

type Words = { words: string[] } | { refused: Sentence }

function wordsOfAddress(text: string, start: ConnectStart): Words {
  const words = start.wordsFor(text)
  if (words === null) return { refused: say`its address is none that gets the token` }
  // An argument list can be read by other users of the machine.
  if (maskSecrets(JSON.stringify(text), 'json') !== JSON.stringify(text)) {
    return { refused: say`its address holds what looks like a secret` }
  }
  return { words }
}

/** The tokens of Feishu in the headers, besides the person's: what connect does not need. */
function secretHeaders(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flatMap(([name, value]) =>
    name.toLowerCase() === TENANT_HEADER ? [value] : [],
  )
}

/** What becomes of the headers beside the token's. */
function wordsOfHeaders(
  headers: Readonly<Record<string, string>>,
  secrets: readonly string[],
  start: ConnectStart,
): { words: string[]; exposed: string[] } | { refused: Sentence } {
  const words: string[] = []
  const exposed: string[] = []
  for (const [name, value] of Object.entries(headers)) {
    const lower = name.toLowerCase()
    if (isTokenHeader(name) || lower === TENANT_HEADER || start.setsHeader(name)) continue
    // The same token in another form.
    if (secrets.some((secret) => secret !== '' && value.includes(secret))) continue
    if (lower === TOOLS_HEADER) {
      const tools = value.split(',').flatMap((tool) => tool.trim() || [])
      if (tools.length > 0) words.push('--tools', tools.join(','))
      continue
    }
    if (/\{ *[A-Za-z_]+ *\}/.test(value)) {
      return { refused: say`its header ${name} holds words in braces, which connect would fill in` }
    }
    if (!/^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/.test(name) || /[\r\n\0]/.test(value)) {
      return { refused: say`its header ${name} is none that connect takes` }
    }
    const pair = `${name}=${value}`
    if (isSecretName(name) || maskSecrets(JSON.stringify(pair), 'json') !== JSON.stringify(pair))
      exposed.push(name)
    words.push('--header', pair)
  }
  return { words, exposed }
}
