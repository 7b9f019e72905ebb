// One table of Feishu's error numbers (sources: the pages "obtain OAuth code", "get user_access_token", "refresh
// user_access_token", "get user info" and "error codes" of open.feishu.cn and open.larksuite.com, 2026): its own pages, its
// token endpoint, and the gateway before its APIs. Tools, commands, our pages and docs/errors.md take their words from here.

import type { ErrorCode } from '../errors.ts'
import type { Bilingual } from '../sentence.ts'
import { redirectSettingsUrl, scopeSettingsUrl } from './feishu.ts'

/** What one answer of the token endpoint means for the token set. */
export type Verdict =
  /** Nothing was consumed: may be asked again, once within a call. */
  | 'retry'
  /** Nothing was consumed and asking again changes nothing: something must be fixed first. */
  | 'keep'
  /** The refresh token is of no use any more: a person must authorize again. */
  | 'reauthorize'

export type FeishuError = {
  code: ErrorCode
  /** The verdict on a refresh; an authorization code is never presented twice unless it is `retry`. */
  verdict: Verdict
  cause: Bilingual
  remedy: Bilingual
  /** The remedy without the new attempt that it ends with; null: nothing is left. */
  fix: Bilingual | null
  /** The console page where it is fixed. */
  console: 'safe' | 'auth' | 'app' | null
}

type Row = readonly [ErrorCode, Verdict, FeishuError['console'], string, string, string, string]

/** code → [ours, verdict, console page, cause en, cause zh, remedy en, remedy zh] */
// biome-ignore format: a table, one row a line
const ROWS: Readonly<Record<number, Row>> = {
  20001: ['unexpected_response', 'keep', null, 'the request lacks a parameter', '请求缺少必要参数', 'Update feishu-token-mcp', '请升级 feishu-token-mcp'],
  20002: ['invalid_client', 'keep', 'app', 'the app secret is wrong', 'App Secret 不正确', 'Copy the App Secret again from Credentials & Basic Info (凭证与基础信息) into FEISHU_APP_SECRET', '请从开发者后台“凭证与基础信息”重新复制 App Secret 到 FEISHU_APP_SECRET'],
  20003: ['invalid_grant', 'keep', null, 'the authorization code is unknown or was used', '授权码不存在或已使用', 'Start the authorization again', '请重新发起授权'],
  20004: ['invalid_grant', 'keep', null, 'the authorization code has expired (it lives five minutes)', '授权码已过期（有效期 5 分钟）', 'Start the authorization again', '请重新发起授权'],
  20005: ['unexpected_response', 'keep', null, 'the access token is unknown or has been revoked', 'access_token 无效或已被撤销', 'Refresh the token, and authorize again if that fails', '请刷新访问凭证；若仍失败，请重新授权'],
  20008: ['unauthorized_client', 'keep', null, 'the user does not exist', '用户不存在', 'Authorize with an account that exists in this tenant', '请使用该租户内存在的账号授权'],
  20009: ['unauthorized_client', 'keep', 'app', 'the app is not installed in this tenant', '租户未安装该应用', 'Ask the tenant administrator to install the app', '请联系租户管理员安装应用'],
  20010: ['unauthorized_client', 'keep', 'app', 'this person may not use the app', '用户不在应用可用范围内', "Add the person to the app's availability range (可用范围) and publish a version (版本管理与发布)", '请将该用户加入应用可用范围，并创建版本后发布'],
  20021: ['unexpected_response', 'keep', null, 'the person has left the organization', '用户已离职', 'Authorize with an account that is active', '请使用在职账号授权'],
  20022: ['unexpected_response', 'keep', null, "the person's account is frozen", '用户账号已被冻结', 'Ask the tenant administrator about the account', '请联系租户管理员确认账号状态'],
  20023: ['unexpected_response', 'keep', null, "the person's account is not registered", '用户账号未注册', 'Complete the registration of the account in Feishu, then authorize again', '请先在飞书完成账号注册，再重新授权'],
  20024: ['invalid_client', 'keep', 'app', 'the token belongs to another app', '授权码或 refresh_token 与当前应用不匹配', 'Set FEISHU_APP_ID and FEISHU_APP_SECRET to the app that was authorized', '请将 FEISHU_APP_ID 和 FEISHU_APP_SECRET 设为授权时使用的应用'],
  20026: ['invalid_grant', 'reauthorize', null, 'Feishu does not know the refresh token', 'refresh_token 无效', 'Authorize again', '请重新授权'],
  20027: ['invalid_scope', 'keep', 'auth', 'a requested scope is not enabled for the app, or not published yet', '应用未开通所请求的权限，或权限尚未发布', 'Enable the scopes for user identity under Permissions & Scopes (权限管理) and publish a version (版本管理与发布)', '请在“权限管理”中开通用户身份权限，并创建版本后发布'],
  20028: ['invalid_client', 'keep', 'app', 'the App ID is unknown', 'App ID 不存在', 'Check FEISHU_APP_ID and FEISHU_BRAND', '请检查 FEISHU_APP_ID 和 FEISHU_BRAND'],
  20029: ['config_invalid', 'keep', 'safe', 'the redirect URL is not on the list of the app', '重定向 URL 未在应用中登记', 'Add the exact redirect URL (重定向 URL) under Security Settings (安全设置)', '请在“安全设置”中添加完全一致的重定向 URL'],
  20036: ['unexpected_response', 'keep', null, 'Feishu does not support this grant type', '不支持的 grant_type', 'Set FEISHU_TOKEN_ENDPOINT to v2', '请将 FEISHU_TOKEN_ENDPOINT 设为 v2'],
  20037: ['invalid_grant', 'reauthorize', null, 'the refresh token has expired (seven days, or 365 days after the authorization)', 'refresh_token 已过期（7 天，或授权满 365 天）', 'Authorize again', '请重新授权'],
  20042: ['unauthorized_client', 'keep', 'app', 'the app is disabled', '应用已停用', 'Enable the app in the developer console', '请在开发者后台启用应用'],
  20043: ['invalid_scope', 'keep', 'auth', 'a scope name is wrong, or the scope is for apps only', '权限名称有误，或该权限仅限应用身份', 'Correct FEISHU_SCOPES: names separated by spaces, for user identity', '请修正 FEISHU_SCOPES：以空格分隔，且为用户身份权限'],
  20046: ['config_invalid', 'keep', null, 'the app belongs to the other brand (Feishu or Lark)', '应用所属品牌不一致（飞书与 Lark）', 'Set FEISHU_BRAND to the brand of the app', '请将 FEISHU_BRAND 设为应用所属品牌'],
  20048: ['invalid_client', 'keep', 'app', 'the app does not exist', '应用不存在', 'Check FEISHU_APP_ID and FEISHU_BRAND', '请检查 FEISHU_APP_ID 和 FEISHU_BRAND'],
  20049: ['invalid_grant', 'keep', null, 'the PKCE check failed', 'PKCE 校验失败', 'Set FEISHU_TOKEN_ENDPOINT to v2 and start the authorization again', '请将 FEISHU_TOKEN_ENDPOINT 设为 v2 后重新发起授权'],
  20050: ['server_error', 'retry', null, 'Feishu had an internal error', '飞书服务内部错误', 'Try again in a minute', '请稍后重试'],
  20063: ['unexpected_response', 'keep', null, 'Feishu found the request malformed', '请求格式有误', 'Update feishu-token-mcp', '请升级 feishu-token-mcp'],
  20064: ['invalid_grant', 'reauthorize', null, 'the refresh token was revoked or has been used', 'refresh_token 已被撤销或已使用', 'Authorize again', '请重新授权'],
  20065: ['invalid_grant', 'keep', null, 'the authorization code was used before', '授权码已被使用', 'Start the authorization again', '请重新发起授权'],
  20066: ['unauthorized_client', 'keep', null, "the user's account is not active", '用户状态异常', 'Ask the tenant administrator about the account', '请联系租户管理员确认账号状态'],
  20067: ['invalid_scope', 'keep', 'auth', 'the scope list names a scope twice', '权限列表包含重复项', 'Remove the duplicate from FEISHU_SCOPES', '请删除 FEISHU_SCOPES 中的重复项'],
  20068: ['invalid_scope', 'keep', 'auth', 'the scope list holds a scope that was not granted', '权限列表包含未授予的权限', 'Authorize again with the scopes you need', '请使用所需权限重新授权'],
  20069: ['unauthorized_client', 'keep', 'app', 'the app is not enabled', '应用未启用', 'Enable the app in the developer console', '请在开发者后台启用应用'],
  20070: ['unexpected_response', 'keep', null, 'Feishu saw two ways of client authentication', '使用了多种客户端认证方式', 'Look for a proxy that adds an Authorization header', '请检查代理是否添加了 Authorization 请求头'],
  20071: ['invalid_grant', 'keep', null, 'the redirect URL differs from that of the authorization', '重定向 URL 与授权时不一致', 'Start the authorization again', '请重新发起授权'],
  20072: ['temporarily_unavailable', 'retry', null, 'Feishu is temporarily unavailable', '飞书服务暂时不可用', 'Try again in a minute', '请稍后重试'],
  20073: ['invalid_grant', 'reauthorize', null, 'the refresh token has been used', 'refresh_token 已被使用', 'Authorize again', '请重新授权'],
  20074: ['refresh_not_allowed', 'keep', 'safe', 'the app may not refresh user tokens', '应用未开启刷新 user_access_token', 'Switch on Refresh user_access_token (刷新 user_access_token) under Security Settings (安全设置) and publish a version (版本管理与发布)', '请在“安全设置”中开启“刷新 user_access_token”，并创建版本后发布'],
  21000: ['challenge_required', 'keep', null, 'a security policy asks the person for a check', '安全策略要求用户完成验证', 'Complete the check in the browser, then try again', '请在浏览器中完成验证后重试'],
  21001: ['challenge_required', 'keep', null, 'a security policy blocked the request', '安全策略拦截了请求', 'Ask the tenant administrator', '请联系租户管理员'],
  99991400: ['rate_limited', 'retry', null, 'Feishu limits the number of requests', '请求过于频繁', 'Wait a moment', '请稍候再试'],
  99991401: ['unexpected_response', 'keep', 'safe', "this machine's address is not on the app's IP allow-list", '当前 IP 不在应用的 IP 白名单中', 'Add the address to the IP allow-list (IP 白名单) under Security Settings (安全设置), or clear the list', '请在“安全设置”中添加该 IP，或清空白名单'],
  99991661: ['unexpected_response', 'keep', null, 'the request carries no access token', '请求未携带 access token', 'Send the header Authorization: Bearer with the token', '请携带 Authorization: Bearer 请求头'],
  99991663: ['unexpected_response', 'keep', null, 'the token is not valid, or is of the kind that an app has', '凭证无效，或使用了应用身份的凭证', 'Use the user access token, and refresh it if it is refused again', '请使用 user_access_token；若仍被拒绝，请刷新凭证'],
  99991668: ['unexpected_response', 'keep', null, 'the access token is not valid any more, or this API takes no user token', 'user_access_token 已失效，或该接口不支持用户身份', 'Refresh the token, and authorize again if that fails', '请刷新访问凭证；若仍失败，请重新授权'],
  99991672: ['unexpected_response', 'keep', 'auth', 'the app lacks a scope that this API needs', '应用缺少该接口所需的权限', 'Enable the scope under Permissions & Scopes (权限管理) and publish a version (版本管理与发布), then authorize again', '请在“权限管理”中开通该权限，创建版本并发布，然后重新授权'],
  99991677: ['unexpected_response', 'keep', null, 'the access token has expired', 'user_access_token 已过期', 'Refresh the token', '请刷新访问凭证'],
  99991679: ['unexpected_response', 'keep', 'auth', 'the person has not granted a scope that this API needs', '用户未授予该接口所需的权限', 'Enable the scope for user identity under Permissions & Scopes (权限管理), publish a version (版本管理与发布), and authorize again with it', '请在“权限管理”中开通对应的用户身份权限，创建版本并发布，然后带上该权限重新授权'],
}

/** What is left of the remedies that end with a new attempt. */
const FIXES: Readonly<Record<number, Bilingual | null>> = {
  20003: null,
  20004: null,
  20049: { en: 'Set FEISHU_TOKEN_ENDPOINT to v2', zh: '请将 FEISHU_TOKEN_ENDPOINT 设为 v2' },
  20050: null,
  20065: null,
  20071: null,
  20072: null,
  21000: { en: 'Complete the check in the browser', zh: '请在浏览器中完成验证' },
}

/** Every number of the table. */
export const FEISHU_ERRORS: readonly number[] = Object.keys(ROWS).map(Number)

/** What a Feishu number means; null for a number that is not in the table. */
export function feishuError(number: number): FeishuError | null {
  const row = ROWS[number]
  if (!row) return null
  const [code, verdict, console, causeEn, causeZh, remedyEn, remedyZh] = row
  return {
    code,
    verdict,
    console,
    cause: { en: causeEn, zh: causeZh },
    remedy: { en: remedyEn, zh: remedyZh },
    fix: number in FIXES ? (FIXES[number] ?? null) : { en: remedyEn, zh: remedyZh },
  }
}

/** The console page where an error is fixed, for this very app; null where there is none. */
export function consoleUrl(
  error: FeishuError,
  app: { open: string; appId: string; scopes: readonly string[] },
): string | null {
  if (error.console === 'safe') return redirectSettingsUrl(app.open, app.appId)
  if (error.console === 'auth') return scopeSettingsUrl(app.open, app.appId, app.scopes)
  if (error.console === 'app') return `${app.open}/app/${encodeURIComponent(app.appId)}`
  return null
}
