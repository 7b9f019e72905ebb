// What becomes of an entry that holds a token: one of `connect`, which needs none. What its two kinds have in common.

import { type Sentence, say } from '../sentence.ts'
import type { ServerEntry } from './add-entry.ts'
import { isReference } from './edit.ts'
import type { Data } from './text-style.ts'

export type Adoption = {
  entry: Data
  /** What the entry held that is secret: the token, and the App Secret. */
  secrets: string[]
  /** The credentials that stood in it. */
  app: { appId: string; appSecret: string } | null
  /** Whether it was for Lark, not Feishu; null: its address is of neither. */
  isLark: boolean | null
  /** It took the app's credentials from elsewhere, and does so no more. */
  appByReference: boolean
  /** Headers with a secret of some other service, which come to stand in the argument list. */
  exposed: string[]
}

export type AdoptionResult = { kind: 'adopt'; adoption: Adoption } | { kind: 'refused'; why: Sentence } | null

/** How a client starts `connect`, and what it needs besides. */
export type ConnectStart = {
  entry: ServerEntry
  /** What `connect` needs to lead to an address: nothing for that of its own accord; null: the token does not go there. */
  wordsFor: (url: string) => string[] | null
  /** Whether `connect` sets a header itself, and takes none of that name. */
  setsHeader: (name: string) => boolean
}

/** VS Code asks the person for these values and keeps what was pasted. */
const INPUT = /^\$\{input:[^}]+\}$/

export function refused(why: Sentence): AdoptionResult {
  return { kind: 'refused', why }
}

/** Whether a value is a reference that some other program fills in, with a token that may well be fresh. */
export function comesFromElsewhere(value: string): boolean {
  return isReference(value) && !INPUT.test(value.trim())
}

export const REFERENCE: AdoptionResult = refused(
  say`its token is a reference, which the program that fills it in may keep fresh`,
)
export const NO_TEXT: AdoptionResult = refused(say`its token is not a string`)

/** Whether an address is Lark's, not Feishu's; null: of neither. */
export function isOfLark(address: string): boolean | null {
  const [, host] = /(?:^|[/.])(feishu\.cn|larksuite\.com)(?:[:/]|$)/.exec(address) ?? []
  return host === undefined ? null : host === 'larksuite.com'
}

/** The variables of an entry of `connect`: its client knows the brand from nowhere else. */
export function variablesFor(isLark: boolean | null, { entry }: ConnectStart): Record<string, string> {
  return { ...entry.env, ...(isLark && { FEISHU_BRAND: 'lark' }) }
}

/** The entry with these variables; without any, without the table. */
export function withEnvironment(entry: Data, name: string, env: Data): Data {
  const { [name]: had, ...rest } = entry
  if (Object.keys(env).length === 0) return rest
  return had === undefined ? { ...rest, [name]: env } : { ...entry, [name]: env }
}

/** What a client needs of an entry besides, where it does not say it: Codex's variables and patience. */
export function withExtras(
  entry: Data,
  { command: _, args: __, env: ___, type: ____, ...extras }: ServerEntry,
): Data {
  const variables = [entry.env_vars ?? [], extras.env_vars ?? []].flat()
  const missing = Object.entries(extras).filter(([name]) => !Object.hasOwn(entry, name))
  const whole = { ...entry, ...Object.fromEntries(missing) }
  return variables.length > 0 ? { ...whole, env_vars: [...new Set(variables)] } : whole
}

/** A table with others in the place of some of its keys. */
export function replaceKeys(table: Data, replacements: Readonly<Record<string, Data>>): Data {
  return Object.assign(
    {},
    ...Object.entries(table).map(([key, value]) => replacements[key] ?? { [key]: value }),
  )
}
