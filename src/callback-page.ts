// What the person reads after answering Feishu, in the terms of the callback listener.

import type { App } from './app.ts'
import { AuthError, type ErrorCode } from './errors.ts'
import type { Ending } from './exchange.ts'
import type { Page } from './loopback/page.ts'
import { feishuError, type Text } from './oauth/feishu-errors.ts'
import type { Failure } from './oauth/pending-authorization.ts'
import { reauthorizeBy } from './oauth/token-set.ts'

const START_AGAIN: Text = {
  en: 'Ask your assistant to start the authorization again.',
  zh: '请让助手重新发起授权。',
}

/** What can go wrong here without a number of Feishu's. */
const REASONS: Partial<Record<ErrorCode, string>> = {
  network_error: '无法连接飞书服务器，授权码未能兑换。',
  tls_error: '飞书服务器的 TLS 证书未通过验证。',
  user_mismatch: '登录的账号与已保存的账号不同，原有令牌已保留。',
  unexpected_response: '飞书返回了无法识别的响应。',
  store_not_writable: '令牌无法写入本机存储。',
}

/** The page of an authorization that has ended. */
export function endPage(app: App, { outcome, tokenSet }: Ending): Page {
  if (tokenSet) {
    return {
      kind: 'succeeded',
      userName: tokenSet.user?.name ?? null,
      profile: app.id.profile,
      accessTokenExpiresAt: tokenSet.accessTokenExpiresAt,
      reauthorizeBy: reauthorizeBy(tokenSet),
    }
  }
  return outcome.status === 'denied' || !outcome.failure ? { kind: 'denied' } : failedPage(outcome.failure)
}

/** The page when nothing could be stored, and so nothing has ended. */
export function unstoredPage(error: unknown): Page {
  const known = error instanceof AuthError ? error : null
  return {
    kind: 'failed',
    code: known?.code ?? 'unexpected_response',
    reason: { en: known?.message ?? 'The authorization could not be stored.', zh: '授权未能保存到本机。' },
    nextStep: { en: 'Reload this page in a moment.', zh: '请稍后刷新此页面。' },
  }
}

function failedPage({ code, message, feishuCode }: Failure): Page {
  const known = feishuCode === null ? null : feishuError(feishuCode)
  const shown = feishuCode === null ? code : `${code} ${feishuCode}`
  if (known) {
    const reason = { en: `Feishu: ${known.cause.en}.`, zh: `飞书返回：${known.cause.zh}。` }
    const nextStep = { en: `${known.remedy.en}.`, zh: `${known.remedy.zh}。` }
    return { kind: 'failed', reason, nextStep, code: shown }
  }
  const reason = { en: message, zh: REASONS[code] ?? message }
  return { kind: 'failed', reason, nextStep: START_AGAIN, code: shown }
}
