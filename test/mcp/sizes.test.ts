// What the model reads costs with every call: how many characters it may have, in either form (docs/design.md).

import { expect, onTestFinished, test } from 'vitest'
import { settle } from '../../src/wiring/settle.ts'
import { connect } from '../support/connection.ts'
import type { Answer } from '../support/contract.ts'
import { makeDeps } from '../support/deps.ts'
import { freePort } from '../support/port.ts'
import { STATES, type State } from './states.ts'

type Tool = 'refresh_token' | 'start_authorization'

const [LIST, PENDING, VALID] = [9_000, 1_200, 900]

/** The longer of the two hosts that a link leads to. */
const ACCOUNTS = 'https://accounts.larksuite.com'

const PROFILE = 'everybody-in-our-company'
const PERSON = '欧阳娜娜（企业效能与信息化部）'
const SCOPES = ['docx:document', 'offline_access']
const DAY_AND_MORE_MS = 27 * 3_600_000

/** What `token_status` answers in a state, with the scopes that a first login asks for, or these; then after these calls. */
async function statusIn(
  name: string,
  { scopes = '', calls = [] as [Tool, Record<string, unknown>][], isLong = false } = {},
): Promise<Answer> {
  const { options: given, reach } = STATES[name] ?? {}
  const options = isLong ? withLongValues(given) : given
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const env = { FEISHU_REDIRECT_URI: redirectUri, FEISHU_TOKEN_KEY_SOURCE: 'file', ...options?.env }
  const world = await makeDeps({
    ...options,
    redirectUrls: [redirectUri],
    env: scopes ? { ...env, FEISHU_SCOPES: scopes } : env,
  })
  onTestFinished(() => settle(world.deps))
  const { call } = await connect(() => world.deps)
  await reach?.({ world, deps: world.deps, call })
  for (const [tool, args] of calls) await call(tool, args)
  const { isError, data, text } = await call('token_status')
  const profile = isLong ? PROFILE : 'default'
  const atFeishu = (json: string) =>
    json.replaceAll(world.sandbox.url, ACCOUNTS).replaceAll('default', profile)
  return { isError, data: JSON.parse(atFeishu(JSON.stringify(data))), text: atFeishu(text) }
}

/** A person's name with a department, and a token that lives for more than a day; the scopes that a first login asks for. */
function withLongValues(options: State['options']): State['options'] {
  const knobs = { accessTokenLifetimeMs: DAY_AND_MORE_MS, ...options?.knobs }
  return { ...options, user: { name: PERSON }, app: { enabledScopes: SCOPES }, knobs }
}

function expectAtMost(limit: number, { data, text }: Answer): void {
  expect(JSON.stringify(data).length).toBeLessThanOrEqual(limit)
  expect(text.length).toBeLessThanOrEqual(limit)
}

test('the list of tools', async () => {
  const { client } = await connect(() => {
    throw new Error('no tool is called')
  })
  expect(JSON.stringify(await client.listTools()).length).toBeLessThanOrEqual(LIST)
})

const PENDING_STATES = Object.keys(STATES).filter(
  (name) => name.endsWith('is pending') || name.endsWith('is being created'),
)

test.each(PENDING_STATES)('a poll while %s', async (name) => {
  const answer = await statusIn(name)
  expect(answer.data.authorization_status).toBe('pending')
  expectAtMost(PENDING, answer)
  // Where people hear of an error number that nobody else sees.
  expect(answer.data.next_step).toContain('feishu_error')
})

test('a poll with the longest preset of scopes costs their names once', async () => {
  const few = await statusIn('a link is pending')
  const many = await statusIn('a link is pending', { scopes: '@hosted-mcp' })
  const named = ({ data }: Answer) =>
    new URL(String(data.authorization_url)).searchParams.get('scope')?.length ?? 0
  expect(named(many)).toBeGreaterThan(named(few))
  expectAtMost(PENDING + named(many) - named(few), many)
})

/** Both are told in full: whose token is valid until when, and the link. */
const BOTH = 1_335

test('a poll while somebody logs in again and the token is valid', async () => {
  const answer = await statusIn('the person has just approved', {
    calls: [
      ['refresh_token', { force: true }],
      ['start_authorization', { open_browser: false }],
    ],
  })
  expect(answer.data).toMatchObject({ status: 'valid', authorization_status: 'pending' })
  expectAtMost(BOTH, answer)
})

/** An instant in place of null. */
const REFRESHED = VALID + 20

test.each<[string, number, [Tool, Record<string, unknown>][]]>([
  ['after the login', VALID, []],
  ['after a refresh', REFRESHED, [['refresh_token', { force: true }]]],
])('the status of a token that is valid %s', async (_when, limit, calls) => {
  const answer = await statusIn('the person has just approved', { calls })
  expect(answer.data).toMatchObject({ status: 'valid', next_step: 'Nothing.' })
  expectAtMost(limit, answer)
})

/** With long values, by what there is to tell: a token that ends has a step that names its profile. Each warning besides. */
const LONG = { nobody: 1_235, valid: 970, ended: 1_065, both: 1_385 }
const WARNING = 375

function kindOf({ data }: Answer): keyof typeof LONG {
  if (data.access_token_expires_at === null) return 'nobody'
  if (data.authorization_status === 'pending') return 'both'
  return data.next_step === 'Nothing.' ? 'valid' : 'ended'
}

const LOGINS: [string, [Tool, Record<string, unknown>][]][] = [
  ['a link is pending', [['start_authorization', { open_browser: false }]]],
  ['a code is pending', [['start_authorization', { method: 'device' }]]],
]

const HELD = ['valid', 'needs_refresh', 'expired']
const POLLS = Object.entries(STATES).flatMap(([name, { token_status, start_authorization }]) => {
  const canLogIn = HELD.includes(token_status) && start_authorization === 'pending'
  const more = LOGINS.map(([what, calls]) => ({ when: `${name}, and ${what}`, name, calls }))
  return [{ when: name, name, calls: [] }, ...(canLogIn ? more : [])]
})

test.each(POLLS)('a poll with long names while $when', async ({ name, calls }) => {
  const { data, text } = await statusIn(name, { calls, isLong: true })
  const warnings = data.warnings as string[]
  for (const warning of warnings) expect(warning.length).toBeLessThanOrEqual(WARNING)
  const silent = { ...data, warnings: [] }
  const rest = text.replace(JSON.stringify(warnings), '[]')
  expectAtMost(LONG[kindOf({ isError: false, data, text })], { isError: false, data: silent, text: rest })
})
