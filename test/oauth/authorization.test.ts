import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { authorizationUrl, readAuthorizationResponse } from '../../src/oauth/authorization.ts'
import { effortMs } from '../support/effort.ts'

const STATE = 'k3Zr0-state_of_this_authorization_request_x'
const ISSUER = 'https://accounts.feishu.cn'
const expected = { state: STATE, issuer: ISSUER, redirectUri: 'http://localhost:9000/callback' }

function readQuery(query: string): ReturnType<typeof readAuthorizationResponse> {
  return readAuthorizationResponse(new URLSearchParams(query), expected)
}

describe('the authorization request', () => {
  const url = new URL(
    authorizationUrl({
      endpoint: 'https://accounts.feishu.cn/open-apis/authen/v1/authorize',
      clientId: 'cli_a1',
      redirectUri: 'http://localhost:9000/callback?x=1&y=2',
      scopes: ['docx:document', 'offline_access'],
      state: STATE,
      codeChallenge: 'c',
    }),
  )

  test('bears exactly the parameters of RFC 6749 §4.1.1 and RFC 7636 §4.3', () => {
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: 'cli_a1',
      response_type: 'code',
      redirect_uri: 'http://localhost:9000/callback?x=1&y=2',
      scope: 'docx:document offline_access',
      state: STATE,
      code_challenge: 'c',
      code_challenge_method: 'S256',
    })
  })

  test('has legible scopes, with never a comma between them', () => {
    expect(url.search).toContain('&scope=docx:document+offline_access&')
  })

  test.each(['"', "'", ' ', '`', ';', '|', '<', '\n', '$('])('holds no %j of its values as it is', (mark) => {
    const hostile = `a${mark}b`
    const made = authorizationUrl({
      endpoint: 'https://accounts.feishu.cn/open-apis/authen/v1/authorize',
      clientId: hostile,
      redirectUri: hostile,
      scopes: [hostile],
      state: hostile,
      codeChallenge: hostile,
    })
    expect(made).toMatch(/^https:\/\/accounts\.feishu\.cn\/[\w/-]+\?[\w=&%+.*:-]+$/)
    expect(new URL(made).searchParams.get('client_id')).toBe(hostile)
  })
})

describe('the authorization response', () => {
  test.each([
    [`code=abc-DEF_123&state=${STATE}`, { kind: 'code', code: 'abc-DEF_123' }],
    [`state=${STATE}&code=${'x'.repeat(2048)}&foo=bar`, { kind: 'code', code: 'x'.repeat(2048) }],
    [`code=a&state=${STATE}&iss=${encodeURIComponent(ISSUER)}`, { kind: 'code', code: 'a' }],
    [`error=access_denied&state=${STATE}`, { kind: 'error', error: 'access_denied' }],
  ])('in %j is read', (query, response) => {
    expect(readQuery(query)).toEqual(response)
  })

  test.each([
    ['no state', 'code=a'],
    ['an empty state', 'code=a&state='],
    ['another state', `code=a&state=${STATE}x`],
    ['a shorter state', `code=a&state=${STATE.slice(0, -1)}`],
    ['the state in capitals', `code=a&state=${STATE.toUpperCase()}`],
    ['the state twice', `code=a&state=${STATE}&state=${STATE}`],
    ['two states, the right one first', `code=a&state=${STATE}&state=x`],
    ['two states, the right one last', `code=a&state=x&state=${STATE}`],
    ['neither code nor error', `state=${STATE}`],
    ['code and error', `code=a&error=access_denied&state=${STATE}`],
    ['two codes', `code=a&code=b&state=${STATE}`],
    ['two errors', `error=a&error=b&state=${STATE}`],
    ['an empty code', `code=&state=${STATE}`],
    ['an empty error', `error=&state=${STATE}`],
    ['a code with a blank', `code=a%20b&state=${STATE}`],
    ['a code with a line break', `code=a%0D%0Ab&state=${STATE}`],
    ['a code with NUL', `code=a%00&state=${STATE}`],
    ['a code with another alphabet', `code=${encodeURIComponent('ｃｏｄｅ')}&state=${STATE}`],
    ['a code that is too long', `code=${'x'.repeat(2049)}&state=${STATE}`],
    ['another issuer', `code=a&state=${STATE}&iss=https%3A%2F%2Faccounts.larksuite.com`],
    [
      'an issuer that is ours but for a slash',
      `code=a&state=${STATE}&iss=${encodeURIComponent(`${ISSUER}/`)}`,
    ],
    ['two issuers', `code=a&state=${STATE}&iss=${encodeURIComponent(ISSUER)}&iss=x`],
    ['its names in capitals', `CODE=a&STATE=${STATE}`],
  ])('with %s is not ours', (_what, query) => {
    expect(readQuery(query)).toBeNull()
  })

  test('answers no authorization that has ended and so has no state any more', () => {
    const ended = { ...expected, state: '' }
    expect(readAuthorizationResponse(new URLSearchParams('code=a&state='), ended)).toBeNull()
    expect(readAuthorizationResponse(new URLSearchParams('code=a'), ended)).toBeNull()
  })

  test('of any form is read or refused, never with another state', () => {
    const part = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.constantFrom(STATE, 'abc', 'access_denied', ISSUER),
    )
    const name = fc.constantFrom('code', 'state', 'error', 'iss', 'Code', 'x', '')
    fc.assert(
      fc.property(fc.array(fc.tuple(name, part), { maxLength: 6 }), (pairs) => {
        const response = readAuthorizationResponse(new URLSearchParams(pairs), expected)
        if (response === null) return
        expect(pairs.filter(([key]) => key === 'state')).toEqual([['state', STATE]])
        const value = response.kind === 'code' ? response.code : response.error
        expect(pairs.filter(([key]) => key === response.kind)).toEqual([[response.kind, value]])
      }),
      { numRuns: 300 },
    )
  })

  test('of a million characters takes no long time', () => {
    const effort = effortMs(() => {
      expect(readQuery(`code=${'a'.repeat(1 << 20)}&state=${'b'.repeat(1 << 20)}`)).toBeNull()
      expect(readQuery('code=a&'.repeat(100_000))).toBeNull()
    })
    expect(effort).toBeLessThan(2_000)
  })
})
