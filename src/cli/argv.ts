// The command line as it is read, once for everything that asks about it. What a command takes is in `commands.ts`.

import { parseArgs } from 'node:util'

/** Every option and what its value is called: '' takes none, one in a list may be given as often as one likes. */
export const OPTIONS = {
  profile: 'NAME',
  json: '',
  help: '',
  version: '',
  scope: '"a b"',
  'no-browser': '',
  device: '',
  'callback-url-stdin': '',
  verify: '',
  force: '',
  all: '',
  'app-id': 'ID',
  'app-secret-stdin': '',
  'create-app': '',
  'with-tools': '',
  adopt: '',
  yes: '',
  brand: 'feishu|lark',
  'dry-run': '',
  'no-gateway': '',
  for: 'NAME',
  env: ['NAME=VALUE'],
  listen: 'HOST:PORT',
  'allow-network': '',
  tools: 'A,B',
  header: ['NAME=VALUE'],
  'move-to': 'keychain|file|env',
  from: 'file|postgres|URL',
  to: 'file|postgres|URL',
} as const

export type OptionName = keyof typeof OPTIONS

export type Options = {
  -readonly [Name in OptionName]?: (typeof OPTIONS)[Name] extends ''
    ? boolean
    : (typeof OPTIONS)[Name] extends string
      ? string
      : string[]
}

/** Those that every command takes. */
export const SHARED: readonly OptionName[] = ['profile', 'json', 'help', 'version']

/** An option that is not written as it must be; its name with the dashes. */
export type Misuse = {
  /** Its name is none; it lacks its value; it has one and takes none. */
  kind: 'unknown' | 'bare' | 'filled'
  option: string
}

export type Argv = {
  /** The first word. */
  name: string | undefined
  /** The words behind it, up to `--`. */
  operands: string[]
  /** What stands behind `--`; null: there is none. */
  behind: string[] | null
  options: Options
  misuse: Misuse | null
}

const SHORT: Partial<Record<OptionName, string>> = { help: 'h' }

const CONFIG = Object.fromEntries(
  Object.entries(OPTIONS).map(([name, value]) => {
    const short = SHORT[name as OptionName]
    const type = value === '' ? ('boolean' as const) : ('string' as const)
    return [name, { type, multiple: typeof value !== 'string', ...(short ? { short } : {}) }]
  }),
)

/** Reads a command line. Words alone need no parser, which Node would load first. */
export function readArgv(args: readonly string[]): Argv {
  if (!args.some((arg) => arg.startsWith('-'))) {
    const [name, ...operands] = args
    return { name, operands, behind: null, options: {}, misuse: null }
  }
  const { values, tokens } = parseArgs({
    args: [...args],
    options: CONFIG,
    allowPositionals: true,
    strict: false,
    tokens: true,
  })
  const end = tokens.find(({ kind }) => kind === 'option-terminator')?.index ?? args.length
  const words = tokens.flatMap((token) =>
    token.kind === 'positional' && token.index < end ? [token.value] : [],
  )
  const [name, ...operands] = words
  // Also where an option that lacks its value has taken it for one: the error is told as was asked.
  const json = args.slice(0, end).includes('--json')
  return {
    name,
    operands,
    behind: end === args.length ? null : args.slice(end + 1),
    options: (json ? { ...values, json } : values) as Options,
    misuse: tokens.map(misuseOf).find((misuse) => misuse !== null) ?? null,
  }
}

function misuseOf(token: ReturnType<typeof parseArgs>['tokens'] extends (infer T)[] | undefined ? T : never) {
  if (token.kind !== 'option') return null
  const option = token.rawName
  const takes = Object.hasOwn(OPTIONS, token.name) ? OPTIONS[token.name as OptionName] : null
  if (takes === null) return { kind: 'unknown' as const, option }
  if (takes === '') return token.inlineValue ? { kind: 'filled' as const, option } : null
  const isOption = !token.inlineValue && /^-./.test(token.value ?? '')
  return token.value === undefined || isOption ? { kind: 'bare' as const, option } : null
}
