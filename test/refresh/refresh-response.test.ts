import { describe, expect, test } from 'vitest'
import { tokenStatus } from '../../src/status/status.ts'
import type { Fault } from '../feishu-sandbox/faults.ts'
import { force, makeDeps, presented, seed } from '../support/deps.ts'

/** A new refresh token came, and something beside it is wrong. */
const NONSENSE: Record<string, Fault> = {
  'no access token': { kind: 'edit', remove: ['access_token'] },
  'an access token that is a number': { kind: 'edit', set: { access_token: 7 } },
  'an access token with a line break': { kind: 'edit', set: { access_token: 'a\r\nb' } },
  'an empty access token': { kind: 'edit', set: { access_token: '' } },
  'an error': { kind: 'edit', set: { error: 'invalid_grant' } },
  'a code': { kind: 'edit', set: { code: 20064 } },
  'another token type': { kind: 'edit', set: { token_type: 'DPoP' } },
  'a byte order mark': { kind: 'answer', status: 200, body: '\uFEFF{{answer}}', processed: true },
  'a length that is too long': { kind: 'cut', how: 'content_length' },
  'an array around it': { kind: 'answer', status: 200, body: '[{{answer}}]', processed: true },
  'another HTTP status': { kind: 'edit', status: 500 },
  'HTTP 400': { kind: 'edit', status: 400 },
  'a tail that is missing': {
    kind: 'raw',
    bytes: 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99999\r\n\r\n{{answer}}',
    processed: true,
  },
}

describe.each(Object.entries(NONSENSE))('a new refresh token with %s', (_name, fault) => {
  test('is stored, the old one is not replayed, and the call says what was wrong', async () => {
    const world = await makeDeps()
    const { app, record } = await seed(world)
    world.sandbox.faults.next(fault)
    await expect(force(world.deps)).rejects.toMatchObject({ code: 'unexpected_response', recovery: 'retry' })
    expect(presented(world)).toBe(1)
    const stored = await (await world.sibling()).store.read(app.id)
    expect(stored.generation).toBe(2)
    expect(stored.tokenSet?.refreshToken?.reveal()).not.toBe(record.tokenSet?.refreshToken?.reveal())
    expect((await force(world.deps)).record.generation).toBe(3)
  })
})

describe('an answer that is good enough', () => {
  const good: Record<string, Fault> = {
    'no token_type': { kind: 'edit', remove: ['token_type'] },
    'token_type in capitals': { kind: 'edit', set: { token_type: 'BEARER' } },
    'the code as text': { kind: 'edit', set: { code: '0' } },
    'no code': { kind: 'edit', remove: ['code'] },
    'HTTP 201': { kind: 'edit', status: 201 },
    'a wrong content type': { kind: 'edit', headers: { 'content-type': 'text/html' } },
    'a second answer behind it': {
      kind: 'raw',
      bytes:
        'HTTP/1.1 200 OK\r\nContent-Length: {{length}}\r\n\r\n{{answer}}HTTP/1.1 400 No\r\nContent-Length: 0\r\n\r\n',
      processed: true,
    },
    'interim answers before it': {
      kind: 'raw',
      bytes:
        'HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: {{length}}\r\n\r\n{{answer}}',
      processed: true,
    },
  }
  test.each(Object.entries(good))('%s', async (_name, fault) => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next(fault)
    expect(await force(world.deps)).toMatchObject({ status: 'refreshed', record: { generation: 2 } })
    expect(presented(world)).toBe(1)
  })

  const lifetimes: [unknown, number, boolean][] = [
    [3_600, 3_600, false],
    ['3600', 3_600, false],
    [1e12, 86_400, false],
    [0, 7_200, true],
    [-1, 7_200, true],
    ['soon', 7_200, true],
    [null, 7_200, true],
    [undefined, 7_200, true],
    [[3_600], 7_200, true],
  ]
  test.each(lifetimes)('expires_in %j is taken as %d s', async (expires_in, seconds, assumed) => {
    const world = await makeDeps()
    await seed(world)
    const change = expires_in === undefined ? { remove: ['expires_in'] } : { set: { expires_in } }
    world.sandbox.faults.next({ kind: 'edit', ...change })
    const { record, remainingMs } = await force(world.deps)
    expect(record.tokenSet).toMatchObject({ accessTokenLifetimeMs: seconds * 1000, lifetimeAssumed: assumed })
    expect(remainingMs).toBeGreaterThan(seconds * 1000 - 5_000)
    const { warnings } = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
    expect(warnings.some((warning) => String(warning).includes('two hours were assumed'))).toBe(assumed)
  })

  test.each([
    [60, true],
    ['60', true],
    [-1, false],
    [null, false],
  ])('refresh_token_expires_in %j', async (refresh_token_expires_in, known) => {
    const world = await makeDeps()
    await seed(world)
    world.sandbox.faults.next({ kind: 'edit', set: { refresh_token_expires_in } })
    const { record } = await force(world.deps)
    expect(record.tokenSet?.refreshTokenExpiresAt !== null).toBe(known)
  })
})

test('without a new refresh token the old one is kept, doubted, and asked about once', async () => {
  const world = await makeDeps()
  const { record } = await seed(world)
  world.sandbox.faults.next({ kind: 'edit', remove: ['refresh_token', 'refresh_token_expires_in'] })
  const result = await force(world.deps)
  expect(result.record.tokenSet?.refreshToken?.reveal()).toBe(record.tokenSet?.refreshToken?.reveal())
  expect(result.record.tokenSet).toMatchObject({ refreshTokenDoubtful: true, refusal: null })
  const { warnings } = await tokenStatus(world.deps, { profile: 'default', verify: false, waitSeconds: 0 })
  expect(warnings.join(' ')).toContain('brought no new refresh token')
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant', feishuCode: 20064 })
  await expect(force(world.deps)).rejects.toMatchObject({ code: 'invalid_grant' })
  expect(presented(world)).toBe(2)
})

test('a refresh token that still works after an answer without one is renewed by the next refresh', async () => {
  const world = await makeDeps({ knobs: { omitRefreshToken: false } })
  await seed(world)
  world.sandbox.knobs.omitRefreshToken = true
  expect((await force(world.deps)).record.tokenSet?.refreshTokenDoubtful).toBe(true)
  world.sandbox.knobs.omitRefreshToken = false
  expect((await force(world.deps)).record.tokenSet?.refreshTokenDoubtful).toBe(false)
})
