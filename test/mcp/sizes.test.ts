// What the model reads costs with every call: how many characters it may have, in either form (docs/design.md).

import { expect, onTestFinished, test } from 'vitest'
import { settle } from '../../src/wiring/settle.ts'
import { connect } from '../support/connection.ts'
import type { Answer } from '../support/contract.ts'
import { makeDeps } from '../support/deps.ts'
import { freePort } from '../support/port.ts'
import { STATES } from './states.ts'

const [LIST, PENDING, VALID] = [9_000, 1_200, 900]

/** What `token_status` answers in a state, with the scopes that a first login asks for. */
async function statusIn(name: string): Promise<Answer> {
  const { options, reach } = STATES[name] ?? {}
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const env = { FEISHU_REDIRECT_URI: redirectUri, FEISHU_TOKEN_KEY_SOURCE: 'file', ...options?.env }
  const world = await makeDeps({ ...options, redirectUrls: [redirectUri], env })
  onTestFinished(() => settle(world.deps))
  const { call } = await connect(() => world.deps)
  await reach?.({ world, deps: world.deps, call })
  return call('token_status')
}

test('the list of tools', async () => {
  const { client } = await connect(() => {
    throw new Error('no tool is called')
  })
  expect(JSON.stringify(await client.listTools()).length).toBeLessThanOrEqual(LIST)
})

test.each(
  Object.keys(STATES).filter((name) => name.endsWith('is pending') || name.endsWith('is being created')),
)('a poll while %s', async (name) => {
  const { data, text } = await statusIn(name)
  expect(data.authorization_status).toBe('pending')
  expect(JSON.stringify(data).length).toBeLessThanOrEqual(PENDING)
  expect(text.length).toBeLessThanOrEqual(PENDING)
  // Where people hear of an error number that nobody else sees.
  expect(data.next_step).toContain('feishu_error')
})

test('the status of a token that is valid', async () => {
  const { data, text } = await statusIn('the person has just approved')
  expect(data).toMatchObject({ status: 'valid', next_step: 'Nothing.' })
  expect(JSON.stringify(data).length).toBeLessThanOrEqual(VALID)
  expect(text.length).toBeLessThanOrEqual(VALID)
})
