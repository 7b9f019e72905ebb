// Every state in which a tool can be called, as data: how it is reached, and what each tool then answers.

import { randomBytes } from 'node:crypto'
import { renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import type { SandboxOptions } from '../feishu-sandbox/sandbox.ts'
import type { Connection } from '../support/connection.ts'
import type { Answer } from '../support/contract.ts'
import { afterAnswer, expire, seed, type World } from '../support/deps.ts'

export type Stage = { world: World; deps: Deps; call: Connection['call'] }
export type State = {
  options?: SandboxOptions & { env?: Record<string, string> }
  reach?: (stage: Stage) => Promise<unknown>
  /** The status, or for a failure the code, that each tool answers. */
  token_status: string
  refresh_token: string
  start_authorization: string
}

const MINUTE = 60_000
const PAST_DEADLINE_MS = 11 * MINUTE

async function begin({ call }: Stage, args: Record<string, unknown> = {}): Promise<Answer> {
  return call('start_authorization', { open_browser: false, ...args })
}

async function visit(location: string): Promise<void> {
  await (await fetch(location)).text()
}

async function end(stage: Stage, location: string, status: string): Promise<void> {
  await visit(location)
  const { data } = await stage.call('token_status', { wait_seconds: 20 })
  expect(data.authorization_status).toBe(status)
}

async function approve(stage: Stage): Promise<void> {
  const { data } = await begin(stage)
  await end(stage, await stage.world.sandbox.approve(String(data.authorization_url)), 'succeeded')
}

function recordPath({ directory, sandbox }: World): string {
  return join(directory, 'store', `feishu-${sandbox.app.appId}-default.json`)
}

const NOTHING = { refresh_token: 'not_authorized', start_authorization: 'pending' }
export const STATES: Record<string, State> = {
  'nothing is configured': {
    options: { env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' } },
    token_status: 'not_configured',
    refresh_token: 'not_configured',
    start_authorization: 'not_configured',
  },
  'the app is being created': {
    options: { env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' } },
    reach: (stage) => begin(stage, { create_app: true }),
    token_status: 'not_configured',
    refresh_token: 'not_configured',
    start_authorization: 'pending',
  },
  'nobody has authorized': { token_status: 'not_authorized', ...NOTHING },
  'a link is pending': { reach: begin, token_status: 'not_authorized', ...NOTHING },
  'a code for another device is pending': {
    reach: (stage) => begin(stage, { method: 'device' }),
    token_status: 'not_authorized',
    ...NOTHING,
  },
  'the person declined': {
    async reach(stage) {
      const { data } = await begin(stage)
      await end(stage, await stage.world.sandbox.deny(String(data.authorization_url)), 'denied')
    },
    token_status: 'not_authorized',
    ...NOTHING,
  },
  'the exchange of the code failed': {
    async reach(stage) {
      const { data } = await begin(stage)
      stage.world.sandbox.setApp({ appSecret: 'another-secret-0123456789abcdefg' })
      await end(stage, await stage.world.sandbox.approve(String(data.authorization_url)), 'failed')
    },
    token_status: 'not_authorized',
    ...NOTHING,
  },
  'nobody approved in time': {
    async reach(stage) {
      await begin(stage)
      stage.world.pass(PAST_DEADLINE_MS)
    },
    token_status: 'not_authorized',
    ...NOTHING,
  },
  'the authorization was cancelled': {
    async reach(stage) {
      await begin(stage)
      expect((await begin(stage, { cancel: true })).data.status).toBe('cancelled')
    },
    token_status: 'not_authorized',
    ...NOTHING,
  },
  'the person has just approved': {
    reach: approve,
    token_status: 'valid',
    refresh_token: 'still_valid',
    start_authorization: 'pending',
  },
  'the token is due': {
    async reach({ world }) {
      await seed(world)
      expire(world)
    },
    token_status: 'needs_refresh',
    refresh_token: 'refreshed',
    start_authorization: 'pending',
  },
  'the token was renewed': {
    options: {
      env: { FEISHU_TOKEN_KEY_SOURCE: 'env', FEISHU_TOKEN_KEY: randomBytes(32).toString('base64') },
    },
    async reach({ world, call }) {
      await seed(world)
      await call('refresh_token', { force: true })
    },
    token_status: 'valid',
    refresh_token: 'still_valid',
    start_authorization: 'pending',
  },
  'Feishu refused the refresh token': {
    async reach({ world, call }) {
      await seed(world)
      world.sandbox.revoke()
      await call('refresh_token', { force: true })
      expire(world)
    },
    token_status: 'expired',
    refresh_token: 'invalid_grant',
    start_authorization: 'pending',
  },
  'there is no refresh token, and the access token lives': {
    options: { knobs: { refreshSwitch: false } },
    reach: ({ world }) => seed(world),
    token_status: 'valid',
    refresh_token: 'still_valid',
    start_authorization: 'pending',
  },
  'there is no refresh token, and the access token is dead': {
    options: { knobs: { refreshSwitch: false } },
    async reach({ world }) {
      await seed(world)
      expire(world)
    },
    token_status: 'expired',
    refresh_token: 'no_refresh_token',
    start_authorization: 'pending',
  },
  'the renewed token cannot be written': {
    async reach({ world, deps, call }) {
      await seed(world)
      const folder = join(world.directory, 'store')
      world.intercept(
        afterAnswer(() => {
          renameSync(folder, `${folder}.away`)
          writeFileSync(folder, '', { mode: 0o600 })
        }),
      )
      expect((await call('refresh_token', { force: true })).data.persisted).toBe(false)
      world.intercept(null)
      onTestFinished(async () => {
        rmSync(folder)
        renameSync(`${folder}.away`, folder)
        await deps.store.flush()
      })
    },
    token_status: 'valid',
    refresh_token: 'still_valid',
    start_authorization: 'store_not_writable',
  },
  'the store is damaged': {
    async reach({ world }) {
      await seed(world)
      writeFileSync(recordPath(world), '{ "torn')
    },
    token_status: 'store_unreadable',
    refresh_token: 'store_unreadable',
    start_authorization: 'pending',
  },
}
