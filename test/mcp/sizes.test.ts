// What the model reads costs with every call: how many characters it may have, in either form (docs/design.md).

import { expect, onTestFinished, test } from 'vitest'
import { settle } from '../../src/wiring/settle.ts'
import { connect } from '../support/connection.ts'
import type { Answer } from '../support/contract.ts'
import { makeDeps } from '../support/deps.ts'
import { freePort } from '../support/port.ts'
import { STATES } from './states.ts'

type Tool = 'refresh_token' | 'start_authorization'

const [LIST, PENDING, VALID] = [9_000, 1_200, 900]

/** The longer of the two hosts that a link leads to. */
const ACCOUNTS = 'https://accounts.larksuite.com'

/** What `token_status` answers in a state, with the scopes that a first login asks for, or these; then after these calls. */
async function statusIn(
  name: string,
  { scopes = '', calls = [] as [Tool, Record<string, unknown>][] } = {},
): Promise<Answer> {
  const { options, reach } = STATES[name] ?? {}
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
  const atFeishu = (json: string) => json.replaceAll(world.sandbox.url, ACCOUNTS)
  return { isError, data: JSON.parse(atFeishu(JSON.stringify(data))), text: atFeishu(text) }
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
