// Every tool in every state. Each answer is held against the schema that the tool advertises, and in the end every
// value that a schema names must have been seen: a state that nobody set up shows as a value that nobody saw.

import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { Delivery } from '../../src/delivery/deliver.ts'
import type { Deps } from '../../src/deps.ts'
import { deliverCopies } from '../../src/hand-over/deliver.ts'
import { settle } from '../../src/wiring/settle.ts'
import { connect } from '../support/connection.ts'
import type { Answer } from '../support/contract.ts'
import { makeDeps, seed } from '../support/deps.ts'
import { makeFolder } from '../support/folder.ts'
import { freePort } from '../support/port.ts'
import { createSeenValues, type Schema } from '../support/seen-values.ts'
import { STATES, type Stage, type State } from './states.ts'

const TOOLS = ['token_status', 'refresh_token', 'start_authorization'] as const
type ToolName = (typeof TOOLS)[number]
/** The arguments with which a state is also met, once its own answer is known. */
const FURTHER: Record<ToolName, Record<string, unknown>[]> = {
  token_status: [{ verify: true }, { profile: 'nobody' }, { feishu_error: 20029 }, { feishu_error: 20050 }],
  refresh_token: [{ force: true }, { profile: 'nobody' }],
  start_authorization: [{ open_browser: false }, { cancel: true }, { method: 'device' }, { cancel: true }],
}

const seen = createSeenValues()
const schemas = new Map<string, Schema>()

async function setStage(
  options: State['options'] = {},
  arrange: (deps: Deps) => Deps = (deps) => deps,
): Promise<Stage> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const env = { FEISHU_REDIRECT_URI: redirectUri, FEISHU_TOKEN_KEY_SOURCE: 'file', ...options.env }
  const world = await makeDeps({ ...options, redirectUrls: [redirectUri], env })
  const deps = arrange(world.deps)
  onTestFinished(() => settle(deps))
  const { tools, call } = await connect(() => deps)
  for (const [name, { outputSchema }] of tools) schemas.set(name, outputSchema as Schema)
  return {
    world,
    deps,
    async call(name, args) {
      const answer = await call(name, args)
      if (!answer.isError) seen.note(name, answer.data)
      return answer
    },
  }
}

/** The status, or the code of a failure. */
function outcomeOf({ isError, text, data }: Answer): unknown {
  return isError ? /\[code=(\w+)/.exec(text)?.[1] : data.status
}

const cases = Object.entries(STATES).flatMap(([name, state]) =>
  TOOLS.map((tool) => [name, tool, state] as const),
)

test.for(cases)('where %s, %s answers as its schema says', async ([, tool, state]) => {
  const stage = await setStage(state.options)
  await state.reach?.(stage)
  const own = await stage.call(tool, tool === 'start_authorization' ? { open_browser: false } : {})
  expect(outcomeOf(own), own.text).toBe(state[tool])
  for (const args of FURTHER[tool]) await stage.call(tool, args)
})

test('a renewal that another process did is told as such', async () => {
  const stage = await setStage()
  await seed(stage.world)
  const sibling = await stage.world.sibling()
  const other = await connect(() => sibling)
  const held = stage.world.sandbox.faults.next({ kind: 'hold' })
  const renewing = other.call('refresh_token', { force: true })
  await held.reached
  const waiting = stage.call('refresh_token', { force: true })
  // It has read the store by now: it asks for the token set before anything else.
  await stage.call('token_status')
  held.release()
  await renewing
  expect((await waiting).data).toMatchObject({ status: 'refreshed_elsewhere', generation: 2 })
})

test('a link that was opened, and one that a pasted address ended, are told as such', async () => {
  const stage = await setStage({}, (deps) => ({ ...deps, openBrowser: async () => null }))
  const opened = await stage.call('start_authorization')
  expect(opened.data.browser_opened).toBe(true)
  const location = await stage.world.sandbox.approve(String(opened.data.authorization_url))
  const pasted = await stage.call('start_authorization', { callback_url: location })
  expect(pasted.data.status).toBe('succeeded')
})

test('what became of each copy is told as the schema says', async () => {
  const folder = makeFolder()
  const put = (name: string, text: string, mode = 0o600) => {
    writeFileSync(join(folder, name), text, { mode })
    return join(folder, name)
  }
  const config = put('mcp.json', '{ "mcpServers": { "lark": { "env": { "USER_ACCESS_TOKEN": "" } } } }')
  const changed = put('changed.env', 'TOKEN=\n')
  const targets = [
    `mcp:${config}#lark`,
    `dotenv:${changed}#TOKEN`,
    `dotenv:${put('read-only.env', 'TOKEN=\n', 0o400)}#TOKEN`,
    `dotenv:${join(folder, 'missing.env')}#TOKEN`,
  ]
  let last: Delivery[] = []
  const stage = await setStage(
    { env: { FEISHU_DELIVER_TO: targets.join(), FEISHU_AUTO_REFRESH: 'false' } },
    (deps) => ({
      ...deps,
      lastDeliveries: () => last,
      async deliver(_, tokenSet) {
        last = await deliverCopies(deps.config, tokenSet, {
          now: deps.clock.now(),
          byHand: false,
          dryRun: false,
        })
        return last
      },
    }),
  )
  const { app } = await seed(stage.world)
  const statuses = async (tool: ToolName, args = {}) => {
    const { data } = await stage.call(tool, args)
    return (data.deliveries as Delivery[]).map(({ status }) => status)
  }
  const first = await statuses('refresh_token', { force: true })
  expect(first).toEqual(['delivered', 'delivered', 'failed', 'refused'])
  expect(await statuses('token_status')).toEqual(first)
  writeFileSync(changed, 'TOKEN=by-hand\n')
  const { tokenSet } = await stage.deps.store.read(app.id)
  if (tokenSet) await stage.deps.deliver(app.id, tokenSet)
  expect(await statuses('token_status')).toEqual(['unchanged', 'drift', 'failed', 'refused'])
  expect(await statuses('refresh_token', { force: true })).toEqual([
    'delivered',
    'drift',
    'failed',
    'refused',
  ])
})

test('of many profiles all are named, and the first twenty looked at', async () => {
  const stage = await setStage()
  for (let index = 0; index < 21; index += 1) await seed(stage.world, `p${index}`)
  const { data } = await stage.call('token_status')
  const profiles = data.profiles as { status: string | null }[]
  expect(profiles.filter(({ status }) => status === null).length).toBe(profiles.length - 20)
})

/** What is not set up here, and why. */
const ELSEWHERE = [
  // A keychain: test/store/keychain.test.ts.
  'token_status.key_source=keychain',
  // A database: the store's own tests.
  'token_status.store=postgres',
  // A new token is another than the one that was delivered.
  'refresh_token.deliveries.status=unchanged',
  // Where Feishu names no end, 7,200 s are assumed.
  'refresh_token.access_token_expires_at=null',
  'refresh_token.access_token_expires_in=null',
]

test('every value that a schema names has been seen, every field known and unknown', () => {
  const missing = TOOLS.flatMap((tool) => seen.missing(tool, schemas.get(tool) ?? {}))
  expect(missing.toSorted()).toEqual(ELSEWHERE.toSorted())
})
