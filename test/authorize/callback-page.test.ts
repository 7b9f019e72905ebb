// Every page that asks for another login sends the person to where this one was started.

import { expect, test } from 'vitest'
import type { App } from '../../src/app/app.ts'
import { endPage } from '../../src/authorize/callback-page.ts'
import type { Ended } from '../../src/authorize/finish.ts'
import { renderPage } from '../../src/loopback/page.ts'
import { say } from '../../src/sentence.ts'
import { makeTokenSet } from '../support/token-set.ts'

const APP = {
  id: { brand: 'feishu', appId: 'cli_a1', profile: 'default' },
  endpoints: { open: 'https://open.feishu.cn' },
} as App

function failed(feishuCode: number | null): Ended {
  const failure = {
    code: 'invalid_client',
    message: say`No.`,
    nextStep: say`No.`,
    feishuCode,
    logId: null,
  } as const
  return { outcome: { status: 'failed', failure }, tokenSet: null } as unknown as Ended
}

const ENDINGS: [string, Ended][] = [
  ['a denial', { outcome: { status: 'denied', failure: null }, tokenSet: null } as unknown as Ended],
  ['a failure', failed(null)],
  ['a failure with a number', failed(20002)],
  [
    'no refresh token',
    {
      outcome: { status: 'succeeded', failure: null },
      tokenSet: makeTokenSet({ refreshToken: null }),
    } as unknown as Ended,
  ],
]

test('an incomplete login is told each thing once', () => {
  const tokenSet = makeTokenSet({ refreshToken: null, scopes: [], requestedScopes: ['offline_access'] })
  const ending = { outcome: { status: 'succeeded', failure: null }, tokenSet } as unknown as Ended
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
