// The environment of a child that works with a person's token: `exec` and `connect` start theirs alike.

import { type App, resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { LOOPBACK_HOSTS } from '../machine/address.ts'
import type { Environment } from '../machine/system.ts'
import { type Sentence, say, shown, typed } from '../sentence.ts'
import { PROGRAMS, type Program, programOf } from './programs.ts'

/** What stands in braces in a value of `--env`, and what it is filled in with. */
type Values = Record<'token' | 'origin' | 'open_apis' | 'app_id' | 'brand', string>

/** What the command line says of a child's environment, checked. */
export type ChildWishes = {
  program: Program | null
  /** Names with their values, unfilled; a later one wins. */
  variables: [name: string, template: string][]
  /** The child gets the access token itself. */
  direct: boolean
}

export type Child = {
  environment: NodeJS.ProcessEnv
  /** To be closed after the child's end; null: it has the access token itself. */
  gateway: Gateway | null
  /** Until when what a child without a gateway holds is good; null: unknown, or it has a gateway. */
  goodUntil: number | null
}

/** Ours alone. The child gets the App Secret as `APP_SECRET`, the name that programs read. */
const SECRETS = ['FEISHU_APP_SECRET', 'FEISHU_TOKEN_KEY', 'FEISHU_TOKEN_STORE', 'PGPASSWORD']

/** Where the gateway listens, by every name and address: nothing for it goes through a proxy. */
const LOOPBACK = LOOPBACK_HOSTS.map((host) => host.replace(/[[\]]/g, ''))

const VALUE_NAMES: readonly string[] = ['token', 'origin', 'open_apis', 'app_id', 'brand']

const IN_BRACES = /\{ *([A-Za-z_][\w.-]*) *\}/g

/**
 * Reads `--for NAME` and `--env NAME=VALUE`.
 *
 * @param needsGateway the child outlives a token, so a program that cannot use the gateway is refused
 * @throws CodedError `config_invalid`
 */
export function readChildWishes(
  { command }: Pick<Deps, 'command'>,
  options: {
    for?: string | undefined
    env?: string[] | undefined
    noGateway: boolean
    needsGateway: boolean
  },
): ChildWishes {
  const called = `${command} ${options.needsGateway ? 'connect' : 'exec'}`
  const refuse = (message: Sentence) =>
    new CodedError('config_invalid', message, { nextStep: say`See \`${called} --help\`.` })
  const program = options.for === undefined ? null : programOf(options.for)
  if (options.for !== undefined && !program) {
    const known = Object.keys(PROGRAMS).join(', ')
    throw refuse(say`No program ${shown(options.for)} is known to --for; known are ${known}.`)
  }
  if (program && !program.gateway && options.needsGateway) {
    throw refuse(
      say`${options.for ?? ''} cannot use the gateway, and a token of its own would go stale; run it with ${typed('exec')}.`,
    )
  }
  const variables = (options.env ?? []).map((text): [string, string] => {
    const [, name, template] = /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(text) ?? []
    // The text is not shown: it may hold anything.
    if (name === undefined || template === undefined) throw refuse(say`--env takes NAME=VALUE.`)
    for (const [whole, inBraces = ''] of template.matchAll(IN_BRACES)) {
      if (whole === `{${inBraces}}` && VALUE_NAMES.includes(inBraces)) continue
      const known = VALUE_NAMES.map((value) => `{${value}}`).join(', ')
      throw refuse(say`--env ${name} holds ${whole}, which means nothing here; use ${known}.`)
    }
    return [name, template]
  })
  return { program, variables, direct: options.noGateway || program?.gateway === false }
}

/** Puts a child's environment together, and opens its gateway. */
export async function openChild(
  deps: Deps,
  { profile, inherited, wishes }: { profile: string; inherited: Environment; wishes: ChildWishes },
): Promise<Child> {
  const app = await resolveApp(deps, profile)
  const shared = { ...withoutOurSecrets(inherited), ...directLoopback(inherited) }
  Object.assign(shared, missingCredentials(app, inherited))
  if (wishes.direct) {
    const { pullRecord, revealAccessToken } = await import('./pull.ts')
    const { record } = await pullRecord(deps, profile)
    const token = revealAccessToken(record)
    const environment = { ...shared, ...pastOuterGateway(app, inherited), ...credential(token) }
    fillIn(environment, wishes, valuesOf(app, token, app.endpoints.open))
    return { environment, gateway: null, goodUntil: record.tokenSet?.accessTokenExpiresAt ?? null }
  }
  const { openGateway } = await import('./gateway.ts')
  const gateway = await openGateway(deps, profile)
  const environment = {
    ...shared,
    ...credential(gateway.key),
    LARK_DOMAIN: gateway.origin,
    FEISHU_OPEN_URL: gateway.origin,
    FEISHU_TOKEN_GATEWAY: app.endpoints.open,
  }
  fillIn(environment, wishes, valuesOf(app, gateway.key, gateway.origin))
  return { environment, gateway, goodUntil: null }
}

function valuesOf(app: App, token: string, origin: string): Values {
  const { brand, appId } = app.id
  return { token, origin, open_apis: `${origin}/open-apis`, app_id: appId, brand }
}

function fillIn(environment: NodeJS.ProcessEnv, { program, variables }: ChildWishes, values: Values): void {
  for (const name of program?.unset ?? []) delete environment[name]
  const ofLark = values.brand === 'lark' ? Object.entries(program?.lark ?? {}) : []
  for (const [name, template] of [...Object.entries(program?.variables ?? {}), ...ofLark, ...variables]) {
    environment[name] = template.replace(IN_BRACES, (_, inBraces: keyof Values) => values[inBraces])
  }
}

function credential(value: string): Record<string, string> {
  return { USER_ACCESS_TOKEN: value, FEISHU_USER_ACCESS_TOKEN: value }
}

/** Names of variables are the same in any case on Windows. */
function withoutOurSecrets(inherited: Environment): NodeJS.ProcessEnv {
  return Object.fromEntries(
    Object.entries(inherited).filter(([name]) => !SECRETS.includes(name.toUpperCase())),
  )
}

/**
 * `NO_PROXY` and `no_proxy`, each with what it had and loopback: what the child sends to the gateway, its key and
 * people's documents, is for no proxy (HTTP_PROXY, ALL_PROXY). One that was not set takes over what the other has, for
 * programs that read this one alone.
 */
function directLoopback(inherited: Environment): Record<string, string> {
  const both = (name: string, other: string): [string, string] => {
    const had = inherited[name] ?? inherited[other] ?? ''
    // It stands for every host, and only by itself.
    if (had.trim() === '*') return [name, had]
    const named = had.split(/[\s,]+/)
    const missing = LOOPBACK.filter((host) => !named.includes(host))
    return [name, [had.trim().replace(/,$/, ''), ...missing].filter(Boolean).join(',')]
  }
  return Object.fromEntries([both('NO_PROXY', 'no_proxy'), both('no_proxy', 'NO_PROXY')])
}

/** A gateway around this process takes its own key alone: a child with the access token itself goes past it. */
function pastOuterGateway(app: App, inherited: Environment): NodeJS.ProcessEnv {
  if (!inherited.FEISHU_TOKEN_GATEWAY) return {}
  const { open } = app.endpoints
  return { LARK_DOMAIN: open, FEISHU_OPEN_URL: open, FEISHU_TOKEN_GATEWAY: undefined }
}

/** APP_ID and APP_SECRET as many programs name them; never a secret beside the id of another app. */
function missingCredentials(app: App, inherited: Environment): Record<string, string> {
  const { appId, appSecret } = app.client
  if (inherited.APP_ID && inherited.APP_ID !== appId) return {}
  const credentials: Record<string, string> = {}
  if (!inherited.APP_ID) credentials.APP_ID = appId
  if (!inherited.APP_SECRET) credentials.APP_SECRET = appSecret.reveal()
  return credentials
}
