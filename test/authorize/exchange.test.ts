import { expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { CodedError } from '../../src/errors.ts'
import type { HttpRequest } from '../../src/oauth/http.ts'
import { say } from '../../src/sentence.ts'
import { challenge, rateLimited } from '../feishu-sandbox/fault-presets.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { seed } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import {
  begin,
  codePresentations,
  expectFreePort,
  linkOf,
  makeWorld,
  paste,
  start,
  status,
  stored,
  visit,
} from './fixture.ts'

type Failing = {
  fault: Fault
  count?: number
  code: string
  feishuCode: number | null
  sent: number
  /** The code may be spent. */
  isUnclear?: boolean
  /** What is to be done before the next authorization. */
  first?: string
}

const lost: Fault = { kind: 'reset', when: 'after_processing' }
const FAILING: Record<string, Failing> = {
  'wrong secret': {
    fault: {
      kind: 'error',
      code: 20002,
    },
    code: 'invalid_client',
    feishuCode: 20002,
    sent: 1,
    first:
      'Copy the App Secret again from Credentials & Basic Info (凭证与基础信息) into FEISHU_APP_SECRET: OPEN/app/APP',
  },
  'unknown code': {
    fault: { kind: 'error', code: 20003 },
    code: 'invalid_grant',
    feishuCode: 20003,
    sent: 1,
  },
  'late code': { fault: { kind: 'error', code: 20004 }, code: 'invalid_grant', feishuCode: 20004, sent: 1 },
  'other app': {
    fault: {
      kind: 'error',
      code: 20024,
    },
    code: 'invalid_client',
    feishuCode: 20024,
    sent: 1,
    first: 'Set FEISHU_APP_ID and FEISHU_APP_SECRET to the app that was authorized: OPEN/app/APP',
  },
  'PKCE failed': {
    fault: { kind: 'error', code: 20049 },
    code: 'invalid_grant',
    feishuCode: 20049,
    sent: 1,
    first: 'Set FEISHU_TOKEN_ENDPOINT to v2',
  },
  'spent code': { fault: { kind: 'error', code: 20065 }, code: 'invalid_grant', feishuCode: 20065, sent: 1 },
  'other redirect': {
    fault: { kind: 'error', code: 20071 },
    code: 'invalid_grant',
    feishuCode: 20071,
    sent: 1,
  },
  'server error': {
    fault: { kind: 'error', code: 20050 },
    count: 2,
    code: 'server_error',
    feishuCode: 20050,
    sent: 2,
  },
  'a long pause': {
    fault: rateLimited({ reset: '8' }),
    code: 'rate_limited',
    feishuCode: 99991400,
    sent: 1,
    first: 'Wait a moment',
  },
  'a pause that fits': {
    fault: rateLimited({ reset: '7' }),
    count: 2,
    code: 'rate_limited',
    feishuCode: 99991400,
    sent: 2,
    first: 'Wait a moment',
  },
  'lost answer': {
    fault: lost,
    code: 'network_error',
    feishuCode: null,
    sent: 1,
    isUnclear: true,
    first: 'Check the network, and HTTPS_PROXY if a proxy is needed',
  },
  'a check that is asked for': {
    fault: challenge('https://security.feishu.cn/check?n=1'),
    code: 'challenge_required',
    feishuCode: 21000,
    sent: 1,
    first: 'Complete the check in the browser, then try again: https://security.feishu.cn/check?n=1',
  },
  'half an answer': {
    fault: {
      kind: 'cut',
      how: 'json',
    },
    code: 'unexpected_response',
    feishuCode: null,
    sent: 1,
    isUnclear: true,
    first: 'Try again in a minute; if that does not help, check FEISHU_OPEN_URL and the network between',
  },
}

test.for(Object.entries(FAILING))(
  'a failed exchange keeps the old token set and says why: %s',
  async ([, failing]) => {
    const world = await makeWorld({ hurried: true })
    await seed(world)
    const before = await stored(world)
    const location = await world.sandbox.approve(await begin(world.deps))
    world.sandbox.faults.next(failing.fault, failing.count ?? 1)
    const error = await failureOf(() => paste(world.deps, location))
    expect(error).toMatchObject({ code: failing.code, feishuCode: failing.feishuCode })
    expect(error.message.startsWith('The code was sent, but no usable answer came: ')).toBe(
      failing.isUnclear ?? false,
    )
    const { url, app } = world.sandbox
    expect(error.nextStep.replace(url, 'OPEN').replace(app.appId, 'APP')).toBe(
      failing.first
        ? `${failing.first}; then call start_authorization again.`
        : 'Call start_authorization again.',
    )
    if (failing.feishuCode !== null) expect(error.logId).not.toBeNull()
    const after = await status(world.deps, 0)
    expect(after).toMatchObject({ status: 'valid', authorization_status: 'failed', generation: 1 })
    expect(String(after.authorization_error)).toContain(error.message)
    expect(String(after.next_step)).toContain(
      `to authorize again, ${error.nextStep.slice(0, 1).toLowerCase()}${error.nextStep.slice(1)}`,
    )
    expect(await stored(world)).toEqual(before)
    expect(codePresentations(world)).toBe(failing.sent)
    await expectFreePort(world)
  },
)

test('an error that consumed nothing is tried once more, after the pause that it asks for', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  world.sandbox.faults.next(rateLimited({ reset: '0.2' }))
  expect((await paste(world.deps, location)).status).toBe('succeeded')
  expect(codePresentations(world)).toBe(2)
})

test('a login succeeds, also where the part that delivers copies cannot be loaded', async () => {
  const world = await makeWorld()
  const deps = { ...world.deps, deliver: () => Promise.reject(new Error('gone')) }
  expect((await visit(await world.sandbox.approve(await begin(deps)))).status).toBe(200)
  expect(await status(deps)).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  expect(world.logs.join('\n')).toContain('authorization: ')
})

test('all attempts together have eight seconds, as requests of this account, and a second needs one of them', async () => {
  for (const [tookMs, deadlines] of [
    [3_000, [8_000, 4_500]],
    [6_500, [8_000, 1_000]],
    [6_501, [8_000]],
  ] as const) {
    const world = await makeWorld({ hurried: true })
    const asked: Pick<HttpRequest, 'deadlineMs' | 'account'>[] = []
    world.intercept((request) => (options) => {
      if (options.url.includes('/oauth/token')) {
        asked.push(options)
        world.pass(tookMs)
      }
      return request(options)
    })
    const location = await world.sandbox.approve(await begin(world.deps))
    world.sandbox.faults.next({ kind: 'error', code: 20050 }, 2)
    await failureOf(() => paste(world.deps, location))
    expect(asked.map(({ deadlineMs }) => deadlineMs)).toEqual(deadlines)
    const { key } = await resolveApp(world.deps, 'default')
    for (const { account } of asked) expect(account).toEqual({ key, forced: false })
  }
})

test('a code that did not leave this machine is presented again', async () => {
  const world = await makeWorld({ hurried: true })
  const location = await world.sandbox.approve(await begin(world.deps))
  let refusals = 1
  world.intercept((request) => async (options) => {
    if (refusals === 0) return request(options)
    refusals -= 1
    const error = new CodedError('network_error', say`No route.`, { nextStep: say`Try again.` })
    return { kind: 'failure', sent: false, partialBody: Buffer.alloc(0), error }
  })
  expect((await paste(world.deps, location)).status).toBe('succeeded')
})

test('an answer that brings no access token is told with its log id', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  world.sandbox.faults.next({ kind: 'edit', remove: ['access_token'] })
  expect(await failureOf(() => paste(world.deps, location))).toMatchObject({
    code: 'unexpected_response',
    message: expect.stringMatching(/^Feishu's answer is not usable: /),
    logId: expect.any(String),
  })
})

test('an error that repeats the code is told without it', async () => {
  const world = await makeWorld()
  const location = await world.sandbox.approve(await begin(world.deps))
  const code = new URL(location).searchParams.get('code') ?? ''
  world.sandbox.faults.next({ kind: 'error', code: 29_999, description: `no such code: ${code}` })
  const { message } = await failureOf(() => paste(world.deps, location))
  expect(message).toContain('no such code')
  expect(message).not.toContain(code)
})

test('the token set holds what was asked for, when, and by which authorization', async () => {
  const world = await makeWorld()
  const started = await start(world.deps)
  world.pass(60_000)
  await visit(await world.sandbox.approve(linkOf(started), { grant: ['offline_access'] }))
  await status(world.deps)
  const { generation, tokenSet } = await stored(world)
  expect(generation).toBe(1)
  expect(tokenSet).toMatchObject({
    accessTokenExpiresAt: world.now() + world.sandbox.knobs.accessTokenLifetimeMs,
    refreshTokenDoubtful: false,
    refusal: null,
    scopes: ['auth:user.id:read', 'offline_access'],
    requestedScopes: started.pending?.scopes,
    authorizedAt: world.now(),
    issuedAt: world.now(),
    refreshedAt: null,
    endpoint: 'v2',
    authorizationId: started.pending?.id,
    lifetimeAssumed: false,
  })
})
