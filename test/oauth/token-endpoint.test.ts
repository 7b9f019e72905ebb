import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { authorizationCodeGrantRequest, refreshTokenGrantRequest } from '../../src/oauth/token-endpoint.ts'
import { Secret } from '../../src/secret.ts'
import { effortMs } from '../support/effort.ts'
import { GOOD, read, SENT } from './token-answers.ts'

describe('a request', () => {
  const client = { appId: 'cli_a1', appSecret: new Secret('s & t') }
  const options = { deadlineMs: 1, account: { key: 'k', forced: false } }

  test('of the code grant bears what RFC 6749 §4.1.3 and RFC 7636 §4.5 name', () => {
    const grant = {
      code: new Secret('c1'),
      redirectUri: 'http://localhost:9000/',
      codeVerifier: new Secret('v1'),
    }
    const request = authorizationCodeGrantRequest('https://open.feishu.cn/token', client, grant, options)
    expect(request).toMatchObject({ method: 'POST', url: 'https://open.feishu.cn/token' })
    expect(Object.fromEntries(new URLSearchParams(request.body ?? ''))).toEqual({
      grant_type: 'authorization_code',
      code: 'c1',
      redirect_uri: 'http://localhost:9000/',
      code_verifier: 'v1',
      client_id: 'cli_a1',
      client_secret: 's & t',
    })
  })

  test('of the refresh grant asks for no scope, which would only narrow the token', () => {
    const request = refreshTokenGrantRequest('https://open.feishu.cn/token', client, SENT, options)
    expect(Object.fromEntries(new URLSearchParams(request.body ?? ''))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: SENT.reveal(),
      client_id: 'cli_a1',
      client_secret: 's & t',
    })
    expect(request.headers).toEqual({
      'content-type': 'application/x-www-form-urlencoded',
      accept: 'application/json',
    })
    expect(JSON.stringify([request.url, request.headers])).not.toContain('secret')
  })
})

describe('whatever is answered', () => {
  const member = fc.oneof(
    fc.jsonValue(),
    fc.constantFrom<unknown>(
      GOOD.access_token,
      GOOD.refresh_token,
      SENT.reveal(),
      0,
      '0',
      20064,
      20050,
      'Bearer',
    ),
  )
  const object = fc.dictionary(
    fc.constantFrom(...Object.keys(GOOD), 'error', 'error_description', 'data'),
    member,
  )
  const body = fc.oneof(
    object.map((json) => Buffer.from(JSON.stringify(json))),
    object.chain((json) => {
      const text = JSON.stringify(json)
      return fc.nat(text.length).map((length) => Buffer.from(text.slice(0, length)))
    }),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  )
  const status = fc.constantFrom(200, 201, 204, 301, 400, 401, 403, 404, 429, 500, 502, 503)

  test('it is judged, without a crash and without a secret in any text', () => {
    fc.assert(
      fc.property(body, status, (bytes, code) => {
        const result = read(bytes, code, { 'retry-after': '5' })
        if (result.kind === 'tokens') {
          const { accessToken, refreshToken, problem } = result.response
          expect(accessToken !== null || refreshToken !== null).toBe(true)
          expect(refreshToken?.reveal()).not.toBe(SENT.reveal())
          if (refreshToken === null) expect(problem).toBeNull()
        } else {
          expect(`${result.error.message} ${result.error.nextStep}`).not.toMatch(/that-was-sent|app-secret/)
        }
      }),
      { numRuns: 1_000 },
    )
  })

  test('a megabyte of it takes no long time', () => {
    const effort = effortMs(() => {
      for (const unit of ['"refresh_token":', '"refresh_token":"a', '{"a":', '[', ' ', '"refresh_token"  ']) {
        read(unit.repeat((1 << 20) / unit.length))
      }
    })
    expect(effort).toBeLessThan(2_000)
  })
})
