// Which page an answer of Feishu's gets, and the words that depend on the answer: reasons, notes, buttons. All other words of
// the pages are in loopback/page-text.ts.

import type { App } from '../app/app.ts'
import { CodedError, type ErrorCode } from '../errors.ts'
import type { Page, Seat } from '../loopback/page-text.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import { consoleUrl, type FeishuError, feishuError } from '../oauth/feishu-errors.ts'
import type { Failure } from '../oauth/pending-authorization.ts'
import { canRefresh, missingScopes, reauthorizeBy, type TokenSet } from '../oauth/token-set.ts'
import type { Bilingual } from '../sentence.ts'
import type { Ended } from './finish.ts'

/** How a person starts again, by where they did; behind something else that is to be done first. */
const START_AGAIN: Record<Seat, Bilingual> = {
  assistant: {
    en: 'Ask your assistant to start the authorization again.',
    zh: '请让助手重新发起授权。',
  },
  terminal: { en: 'Log in again in the terminal.', zh: '请在终端中重新登录。' },
}
const THEN_START_AGAIN: Record<Seat, Bilingual> = {
  assistant: {
    en: 'Then ask your assistant to start the authorization again.',
    zh: '然后让助手重新发起授权。',
  },
  terminal: { en: 'Then log in again in the terminal.', zh: '然后在终端中重新登录。' },
}
/** More names than this say less; the link holds all of them. */
const SHOWN_SCOPES = 8

const CONSOLE: Record<NonNullable<FeishuError['console']>, Bilingual> = {
  safe: { en: 'Go to the console: Security settings', zh: '前往开发者后台：安全设置' },
  auth: { en: 'Go to the console: Permissions & scopes', zh: '前往开发者后台：权限管理' },
  app: { en: 'Go to the console: your app', zh: '前往开发者后台：应用页面' },
}

/** What can go wrong here without a number of Feishu's. */
const REASONS: Partial<Record<ErrorCode, string>> = {
  network_error: '无法连接飞书服务器，授权码未能兑换。',
  tls_error: '飞书服务器的 TLS 证书未通过验证。',
  user_mismatch: '登录的账号与已保存的账号不同，原有凭证已保留。',
  unexpected_response: '飞书返回了无法识别的响应。',
  store_not_writable: '凭证无法写入本机存储。',
}

/** The page of an authorization that has ended; `scopes` are those that it asked for. */
export function endPage(app: App, { outcome, tokenSet }: Ended, scopes: readonly string[], seat: Seat): Page {
  if (tokenSet) {
    return {
      kind: 'succeeded',
      userName: tokenSet.user?.name ?? null,
      profile: app.id.profile,
      accessTokenExpiresAt: tokenSet.accessTokenExpiresAt,
      reauthorizeBy: canRefresh(tokenSet) ? reauthorizeBy(tokenSet) : null,
      notes: notesOn(app, tokenSet),
      seat,
    }
  }
  if (outcome.status === 'denied' || !outcome.failure) return { kind: 'denied', seat }
  return failedPage(app, outcome.failure, scopes, seat)
}

/** The page when nothing could be stored, and so nothing has ended. */
export function unstoredPage(error: unknown): Page {
  const known = error instanceof CodedError ? error : null
  return {
    kind: 'unstored',
    code: known?.code ?? 'unexpected_response',
    reason: { en: known?.message ?? 'The authorization could not be stored.', zh: '授权未能保存到本机。' },
    nextStep: { en: 'Reload this page in a moment.', zh: '请稍后刷新此页面。' },
    action: null,
  }
}

/** What is less than the person asked for; how to go on from there is told once, behind them. */
function notesOn({ id, endpoints }: App, tokenSet: TokenSet): Extract<Page, { kind: 'succeeded' }>['notes'] {
  const missing = missingScopes(tokenSet)
  const notes: Extract<Page, { kind: 'succeeded' }>['notes'] = []
  if (!tokenSet.refreshToken) {
    notes.push({
      text: {
        en: 'Feishu gave no refresh token: switch on "Refresh user_access_token" in the console.',
        zh: '飞书没有返回 refresh_token：请在开发者后台打开“刷新 user_access_token”开关。',
      },
      action: { label: CONSOLE.safe, url: redirectSettingsUrl(endpoints.open, id.appId) },
    })
  }
  if (missing.length > 0) {
    const names = missing.slice(0, SHOWN_SCOPES).join(' ') + (missing.length > SHOWN_SCOPES ? ' …' : '')
    notes.push({
      text: {
        en: `Not granted: ${names}. If you left a box unticked on Feishu's page, tick it next time. If there was no box, enable the scope for user identity.`,
        zh: `未授予的权限：${names}。如果你在飞书授权页上取消了勾选，下次登录时请勾选；如果页面上没有这一项，请开通对应的用户身份权限。`,
      },
      action: { label: CONSOLE.auth, url: scopeSettingsUrl(endpoints.open, id.appId, missing) },
    })
  }
  return notes
}

function failedPage(
  app: App,
  { code, message: said, feishuCode }: Failure,
  scopes: readonly string[],
  seat: Seat,
): Page {
  const known = feishuCode === null ? null : feishuError(feishuCode)
  const shown = feishuCode === null ? code : `${code} ${feishuCode}`
  if (!known) {
    const message = String(said)
    const reason = { en: message, zh: REASONS[code] ?? message }
    return { kind: 'failed', reason, nextStep: START_AGAIN[seat], action: null, code: shown }
  }
  const { cause, remedy } = known
  const url = consoleUrl(known, { open: app.endpoints.open, appId: app.id.appId, scopes })
  // Some remedies are a new authorization themselves.
  const isAgain = /authoriz/i.test(remedy.en)
  return {
    kind: 'failed',
    reason: { en: `Feishu: ${cause.en}.`, zh: `飞书返回：${cause.zh}。` },
    nextStep: {
      en: isAgain ? `${remedy.en}.` : `${remedy.en}. ${THEN_START_AGAIN[seat].en}`,
      zh: isAgain ? `${remedy.zh}。` : `${remedy.zh}，${THEN_START_AGAIN[seat].zh}`,
    },
    action: known.console && url ? { label: CONSOLE[known.console], url } : null,
    code: shown,
  }
}
