import { expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { newAuthorization } from '../../src/authorize/new-authorization.ts'
import type { HttpRequest } from '../../src/oauth/http.ts'
import { authorizationId } from '../../src/oauth/pending-authorization.ts'
import { calculateCodeChallenge } from '../../src/oauth/pkce.ts'
import { makeWorld } from './fixture.ts'

const SCOPES = ['im:message', 'offline_access']

test('a link carries what its answer is checked by, and lives ten minutes', async () => {
  const world = await makeWorld()
  const app = await resolveApp(world.deps, 'default')
  const { redirectUri } = world.deps.config
  const pending = await newAuthorization(world.deps, app, { scopes: SCOPES, method: 'browser' })
  const state = pending.state.reveal()
  expect(pending).toMatchObject({
    id: authorizationId(state),
    step: 'approve',
    method: 'browser',
    scopes: SCOPES,
    redirectUri,
    device: null,
    startedAt: world.now(),
    deadlineAt: world.now() + 600_000,
    phase: 'waiting',
    tokens: null,
    outcome: null,
  })
  const url = new URL(pending.authorizationUrl)
  expect(url.origin).toBe(world.sandbox.url)
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    client_id: app.id.appId,
    redirect_uri: redirectUri,
    scope: SCOPES.join(' '),
    state,
    code_challenge: calculateCodeChallenge(pending.codeVerifier.reveal()),
  })
  expect(world.sandbox.requests).toEqual([])
})

test('a code of Feishu’s has its own address and lives as long as Feishu says', async () => {
  const world = await makeWorld()
  const app = await resolveApp(world.deps, 'default')
  const asked: HttpRequest[] = []
  world.intercept((request) => (options) => {
    asked.push(options)
    return request(options)
  })
  const pending = await newAuthorization(world.deps, app, { scopes: SCOPES, method: 'device' })
  expect(pending).toMatchObject({
    method: 'device',
    device: { userCode: expect.any(String), intervalMs: world.sandbox.knobs.deviceIntervalMs },
    authorizationUrl: expect.stringContaining(pending.device?.userCode ?? '?'),
    deadlineAt: world.now() + world.sandbox.knobs.deviceCodeLifetimeMs,
  })
  expect(asked).toMatchObject([{ deadlineMs: 8_000, account: { key: app.key, forced: false } }])
})
