import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  endpointsOf,
  hostedMcpUrl,
  redirectSettingsUrl,
  scopeSettingsUrl,
  trustedUrl,
  untrusted,
  withoutSecrets,
} from '../../src/oauth/feishu.ts'
import { effortMs } from '../support/effort.ts'

const NONE = { accountsUrl: null, openUrl: null }

describe('the endpoints', () => {
  test('of Feishu are those of its documents', () => {
    expect(endpointsOf('feishu', NONE)).toMatchObject({
      authorize: 'https://accounts.feishu.cn/open-apis/authen/v1/authorize',
      token: {
        v2: 'https://open.feishu.cn/open-apis/authen/v2/oauth/token',
        v3: 'https://accounts.feishu.cn/oauth/v3/token',
      },
      userInfo: 'https://open.feishu.cn/open-apis/authen/v1/user_info',
      revoke: 'https://accounts.feishu.cn/oauth/v1/revoke',
      deviceAuthorization: 'https://accounts.feishu.cn/oauth/v1/device_authorization',
    })
  })

  test('of Lark never lie at Feishu', () => {
    expect(JSON.stringify(endpointsOf('lark', NONE))).not.toContain('feishu.cn')
    expect(endpointsOf('lark', NONE).token.v2).toBe(
      'https://open.larksuite.com/open-apis/authen/v2/oauth/token',
    )
  })

  test('of a private deployment win over those of the brand, everywhere', () => {
    const own = { accountsUrl: 'https://accounts.example.com', openUrl: 'https://open.example.com' }
    expect(JSON.stringify(endpointsOf('feishu', own))).not.toContain('feishu.cn')
  })
})

test('the hosted MCP server is that of the brand, or the one that the settings name', () => {
  expect(hostedMcpUrl('feishu', null)).toBe('https://mcp.feishu.cn/mcp')
  expect(hostedMcpUrl('lark', null)).toBe('https://mcp.larksuite.com/mcp')
  expect(hostedMcpUrl('lark', 'http://127.0.0.1:9/mcp')).toBe('http://127.0.0.1:9/mcp')
})

test('the console pages name this very app, and scopes with commas', () => {
  expect(redirectSettingsUrl('https://open.feishu.cn', 'cli_a1')).toBe(
    'https://open.feishu.cn/app/cli_a1/safe',
  )
  const url = new URL(scopeSettingsUrl('https://open.feishu.cn', 'cli_a1', ['docx:document', 'im:message']))
  expect(url.pathname).toBe('/app/cli_a1/auth')
  expect(url.searchParams.get('q')).toBe('docx:document,im:message')
  expect(url.searchParams.get('token_type')).toBe('user')
})

describe('an address in an answer', () => {
  const endpoints = endpointsOf('feishu', NONE)

  test.each([
    'https://accounts.feishu.cn/challenge?x=1',
    'https://feishu.cn/',
    'https://a.b.feishu.cn/x',
    'https://accounts.feishu.cn/'.padEnd(2048, 'x'),
  ])('%s may be shown', (url) => {
    expect(trustedUrl(url, endpoints)).toBe(url)
  })

  test.each([
    'http://accounts.feishu.cn/challenge',
    'https://feishu.cn.evil.example/',
    'https://evilfeishu.cn/',
    'https://evil.example/?https://accounts.feishu.cn',
    'https://accounts.feishu.cn@evil.example/',
    'https://kim:pw@accounts.feishu.cn/',
    'https://kim@accounts.feishu.cn/',
    'https://:pw@accounts.feishu.cn/',
    'https://accounts.larksuite.com/challenge',
    'javascript:alert(1)//accounts.feishu.cn',
    '//accounts.feishu.cn/challenge',
    'https://accounts.feishu.cn/'.padEnd(2049, 'x'),
    'not an address',
    '',
    null,
    7,
    { url: 'https://accounts.feishu.cn' },
  ])('%j may not', (url) => {
    expect(trustedUrl(url, endpoints)).toBeNull()
  })

  test('may lie on the hosts of a private deployment, and on none beside them', () => {
    const own = endpointsOf('feishu', {
      accountsUrl: 'https://a.corp.com.cn',
      openUrl: 'http://localhost:8080',
    })
    expect(trustedUrl('https://a.corp.com.cn/challenge', own)).toBe('https://a.corp.com.cn/challenge')
    expect(trustedUrl('http://localhost:8080/verify', own)).toBe('http://localhost:8080/verify')
    expect(trustedUrl('https://evil.com.cn/challenge', own)).toBeNull()
    expect(trustedUrl('https://b.a.corp.com.cn/challenge', own)).toBeNull()
    expect(trustedUrl('http://localhost:9090/verify', own)).toBeNull()
  })
})

describe("a text of Feishu's", () => {
  test.each<[string, unknown, string | null]>([
    ['a sentence', 'The code is not found.', 'The code is not found.'],
    ['Chinese and emoji', '授权码不存在 🙃', '授权码不存在 🙃'],
    ['a terminal escape', '\u001b]8;;https://evil\u0007click\u001b[31m', ']8;;https://evil click [31m'],
    ['a text that turns around', 'abc\u202edef', 'abc def'],
    ['invisible characters', 'a\u200bb\ufeffc\u00add', 'a b c d'],
    ['line breaks of all kinds', 'a\r\n\u2028b\u0085c\td', 'a b c d'],
    ['half of a surrogate pair', 'a\ud83dz', 'a z'],
    ['blanks around it', ' a\n', 'a'],
    ['blanks alone', ' \n ', null],
    ['a long way before it', `${' '.repeat(4096)}x`, null],
    ['not quite so long a way', `${' '.repeat(4095)}x`, 'x'],
    ['nothing', '', null],
    ['a number', 7, null],
    ['an object', { toString: () => 'x' }, null],
  ])('%s is shown as a plain line', (_what, text, shown) => {
    expect(untrusted(text)).toBe(shown)
  })

  test('is cut to two hundred characters, between characters', () => {
    expect(untrusted('🙃'.repeat(300))).toBe(`${'🙃'.repeat(200)}…`)
    expect(untrusted('x'.repeat(200))).toBe('x'.repeat(200))
  })

  test('of a megabyte takes no long time', () => {
    for (const character of ['\u202e', 's']) {
      const effort = effortMs(() => void untrusted(character.repeat(1 << 20), ['s'.repeat(4096)]))
      expect(effort).toBeLessThan(2_000)
    }
  })

  test.each([
    ['whole', (secret: string) => `it was ${secret}, no?`],
    ['its beginning', (secret: string) => `it was ${secret.slice(0, 12)}…`],
    ['its end', (secret: string) => `…${secret.slice(-8)}`],
    ['its middle', (secret: string) => `x${secret.slice(5, 20)}y`],
    ['twice', (secret: string) => secret + secret],
    ['hidden characters around it', (secret: string) => `\u0000${secret}\u200b`],
  ])('that holds a secret, %s, does not show it', (_what, text) => {
    const secret = 'eyJhbGciOiJFUzI1NiJ9.canary'
    const shown = untrusted(text(secret), [secret]) ?? ''
    expect(shown).toContain('[secret]')
    for (let at = 0; at + 8 <= secret.length; at += 1) expect(shown).not.toContain(secret.slice(at, at + 8))
  })

  test('loses the pieces of a secret that have eight characters, and nothing around them', () => {
    const hide = (text: string) => withoutSecrets(text, ['abcdefghij'])
    expect(hide('x abcdefghij y')).toBe('x [secret] y')
    expect(hide('xabcdefghyabcdefgz')).toBe('x[secret]yabcdefgz')
    expect(hide('cdefghij')).toBe('[secret]')
    expect(hide('abcdefghabcdefgh')).toBe('[secret][secret]')
    expect(hide('')).toBe('')
  })

  test('that holds a short secret whole does not show it', () => {
    expect(withoutSecrets('the code abc is used', ['abc', ''])).toBe('the code [secret] is used')
  })

  test('is never shown with a control, bidirectional or invisible character, nor a piece of a secret', () => {
    const secret = 'c4nary-s3cret-0123456789'
    const piece = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 12 }),
      fc.tuple(fc.nat(20), fc.nat(24)).map(([from, length]) => secret.slice(from, from + length)),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 4 }), (pieces) => {
        const shown = untrusted(pieces.join(''), [secret]) ?? ''
        expect(shown).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u)
        expect([...shown].length).toBeLessThanOrEqual(201)
        for (let at = 0; at + 8 <= secret.length; at += 1)
          expect(shown).not.toContain(secret.slice(at, at + 8))
      }),
      { numRuns: 200 },
    )
  })
})
