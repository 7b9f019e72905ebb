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
