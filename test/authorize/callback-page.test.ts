// Every page that asks for another login sends the person to where this one was started.

import { expect, test } from 'vitest'
import type { App } from '../../src/app/app.ts'
import { endPage, unstoredPage } from '../../src/authorize/callback-page.ts'
import type { Ended } from '../../src/authorize/finish.ts'
import { CodedError } from '../../src/errors.ts'
import { renderPage } from '../../src/loopback/page.ts'
import { reauthorizeBy, type TokenSet } from '../../src/oauth/token-set.ts'
import { say } from '../../src/sentence.ts'
import { makeTokenSet } from '../support/token-set.ts'

const APP = {
  id: { brand: 'feishu', appId: 'cli_a1', profile: 'default' },
  endpoints: { open: 'https://open.feishu.cn' },
} as App

function failed(feishuCode: number | null, code = 'invalid_client'): Ended {
  const failure = {
    code,
    message: say`No.`,
    nextStep: say`No.`,
    feishuCode,
    logId: null,
  }
  return { outcome: { status: 'failed', failure }, tokenSet: null } as unknown as Ended
}

function succeeded(changes: Partial<TokenSet>): Ended {
  const outcome = { status: 'succeeded', failure: null }
  return { outcome, tokenSet: makeTokenSet(changes) } as unknown as Ended
}

const ENDINGS: [string, Ended][] = [
  ['a denial', { outcome: { status: 'denied', failure: null }, tokenSet: null } as unknown as Ended],
  ['a failure', failed(null)],
  ['a failure with a number', failed(20002)],
  ['no refresh token', succeeded({ refreshToken: null })],
]

test('an incomplete login is told each thing once', () => {
  const ending = succeeded({ refreshToken: null, scopes: [], requestedScopes: ['offline_access'] })
  for (const [language, words] of [
    [
      'en',
      [
        'Not granted: offline_access',
        'Refresh user_access_token',
        'version',
        'start the authorization again',
        'no refresh token',
      ],
    ],
    ['zh', ['offline_access', '刷新 user_access_token', '发布版本', '重新发起授权', '开通']],
  ] as const) {
    const { html } = renderPage(endPage(APP, ending, [], 'assistant'), language)
    const text = html.replace(/[\s\S]*<main>|<[^>]*>/g, ' ')
    for (const word of words) expect(text.split(word).length - 1, word).toBe(1)
  }
})

test.each(ENDINGS)('%s', (_what, ending) => {
  const shown = (seat: 'assistant' | 'terminal', language: 'en' | 'zh') =>
    renderPage(endPage(APP, ending, [], seat), language).html
  expect(shown('terminal', 'en')).toMatch(/log in again in the terminal\./i)
  expect(shown('terminal', 'en')).not.toMatch(/ask your assistant/i)
  expect(shown('terminal', 'zh')).toContain('在终端中重新登录')
  expect(shown('terminal', 'zh')).not.toContain('让助手')
  expect(shown('assistant', 'en')).toMatch(/ask your assistant to/i)
  expect(shown('assistant', 'zh')).toContain('让助手重新发起授权')
})

test('a complete login is told with the person and how long it holds, and nothing is amiss', () => {
  const tokenSet = makeTokenSet()
  expect(endPage(APP, succeeded({}), [], 'assistant')).toEqual({
    kind: 'succeeded',
    userName: '沙小盒',
    profile: 'default',
    accessTokenExpiresAt: tokenSet.accessTokenExpiresAt,
    reauthorizeBy: reauthorizeBy(tokenSet),
    notes: [],
    seat: 'assistant',
  })
  expect(endPage(APP, succeeded({ user: null }), [], 'assistant')).toMatchObject({ userName: null })
})

test('eight missing scopes are named, of nine the first eight, and the link asks for all', () => {
  const names = ['a:1', 'a:2', 'a:3', 'a:4', 'a:5', 'a:6', 'a:7', 'a:8', 'a:9']
  const noteOn = (requestedScopes: string[]) => {
    const page = endPage(APP, succeeded({ scopes: [], requestedScopes }), [], 'assistant')
    return page.kind === 'succeeded' ? page.notes : []
  }
  expect(noteOn(names.slice(0, 8))[0]?.text.en).toContain('Not granted: a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8. ')
  const [note, ...more] = noteOn(names)
  expect(note?.text.en).toContain('Not granted: a:1 a:2 a:3 a:4 a:5 a:6 a:7 a:8 …. ')
  expect(decodeURIComponent(note?.action.url ?? '')).toContain(names.join(','))
  expect(more).toEqual([])
})

test('a denial is told as one, with what is noted of it', () => {
  const { outcome } = failed(null, 'access_denied')
  const ending = { outcome: { ...outcome, status: 'denied' }, tokenSet: null } as Ended
  expect(endPage(APP, ending, [], 'terminal')).toEqual({ kind: 'denied', seat: 'terminal' })
})

test('a failure is told by what is known of its number, with the console page where it is mended', () => {
  const shown = (ending: Ended) => endPage(APP, ending, ['im:message'], 'assistant')
  expect(shown(failed(20002))).toMatchObject({
    kind: 'failed',
    code: 'invalid_client 20002',
    reason: { en: 'Feishu: the app secret is wrong.' },
    action: { url: 'https://open.feishu.cn/app/cli_a1' },
  })
  expect(shown(failed(20027))).toMatchObject({
    action: { url: expect.stringMatching(/cli_a1.*im.*message/) },
  })
  expect(shown(failed(20003))).toMatchObject({
    nextStep: { en: 'Start the authorization again.', zh: '请重新发起授权。' },
    action: null,
  })
  expect(shown(failed(29999))).toMatchObject({
    code: 'invalid_client 29999',
    reason: { en: 'No.', zh: 'No.' },
  })
  expect(shown(failed(null, 'tls_error'))).toMatchObject({
    code: 'tls_error',
    reason: { en: 'No.', zh: '飞书服务器的 TLS 证书未通过验证。' },
  })
})

test('what could not be stored is told by its own words, and the address may be opened again', () => {
  const known = new CodedError('store_locked', say`Somebody works on it.`, { nextStep: say`Wait.` })
  expect(unstoredPage(known)).toEqual({
    kind: 'unstored',
    code: 'store_locked',
    reason: { en: 'Somebody works on it.', zh: '授权未能保存到本机。' },
    nextStep: { en: 'Reload this page in a moment.', zh: '请稍后刷新此页面。' },
    action: null,
  })
  expect(unstoredPage(new Error('secret'))).toMatchObject({
    code: 'unexpected_response',
    reason: { en: 'The authorization could not be stored.' },
  })
})
