/** What the pages say, in both languages. */

import type { GLYPHS } from './page-style.ts'

export type Text = { en: string; zh: string }

type Face = { status: number; glyph: keyof typeof GLYPHS; title: Text; lead: Text; next: Text }

export const LABELS: Record<
  | 'nextStep'
  | 'notes'
  | 'errorCode'
  | 'account'
  | 'unknownName'
  | 'profile'
  | 'accessTokenExpiresAt'
  | 'reauthorizeBy',
  Text
> = {
  nextStep: { en: 'Next step', zh: '下一步' },
  notes: { en: 'Needs attention', zh: '需要处理' },
  errorCode: { en: 'Error code', zh: '错误码' },
  account: { en: 'Account', zh: '账号' },
  unknownName: { en: 'name not known yet', zh: '暂未取得姓名' },
  profile: { en: 'Profile', zh: '配置名' },
  accessTokenExpiresAt: { en: 'Token valid until', zh: '访问凭证有效期至' },
  reauthorizeBy: { en: 'Renewable until', zh: '可续期至' },
}

const NOT_A_LOGIN_PAGE = {
  glyph: 'unknown',
  title: { en: 'This is not a login page', zh: '这不是登录页面' },
  lead: {
    en: 'This address only receives the answer to an authorization that your assistant started. This request was not that answer, so it was ignored; an authorization that is waiting goes on waiting.',
    zh: '这个地址只用来接收由助手发起的授权的结果。这次访问不是授权结果，因此已被忽略；如果有授权正在等待，它会继续等待。',
  },
  next: {
    en: 'To log in, open the link that your assistant gives you.',
    zh: '如需登录，请打开助手给你的授权链接。',
  },
} as const satisfies Omit<Face, 'status'>

/** `failed` brings its own reason and next step. */
export const FACES: Record<Page['kind'], Face> = {
  succeeded: {
    status: 200,
    glyph: 'done',
    title: { en: 'Authorization complete', zh: '授权成功' },
    lead: { en: 'Your assistant can now work with this account.', zh: '助手现在可以使用以下账号。' },
    next: {
      en: 'You can close this tab and go back to your assistant.',
      zh: '现在可以关闭此页面，回到你的助手。',
    },
  },
  denied: {
    status: 200,
    glyph: 'declined',
    title: { en: 'Access was not granted', zh: '未获授权' },
    lead: {
      en: 'You declined the request, so nothing was authorized. An authorization from before stays as it was.',
      zh: '你拒绝了这次请求，因此没有授予任何权限；之前已有的授权不受影响。',
    },
    next: {
      en: 'You can close this tab. If this was a mistake, ask your assistant to authorize again.',
      zh: '可以关闭此页面。如果是误操作，请让助手重新发起授权。',
    },
  },
  failed: {
    // 200, because proxies replace the page of an error status with one of their own.
    status: 200,
    glyph: 'failed',
    title: { en: 'Authorization failed', zh: '授权失败' },
    lead: { en: '', zh: '' },
    next: { en: '', zh: '' },
  },
  already_used: {
    status: 410,
    glyph: 'used',
    title: { en: 'This authorization is already over', zh: '这次授权已经结束' },
    lead: {
      en: 'The address of this page works only once. Opening it again or reloading it changes nothing.',
      zh: '此页面的地址只能使用一次，再次打开或刷新不会有任何影响。',
    },
    next: {
      en: 'Ask your assistant for the token status; it starts a new authorization if one is needed.',
      zh: '请让助手查看凭证状态；如有需要，它会重新发起授权。',
    },
  },
  broken: {
    status: 500,
    glyph: 'failed',
    title: { en: 'Something went wrong', zh: '出了点问题' },
    lead: {
      en: 'The answer has arrived, but the program failed while it was handling it.',
      zh: '授权结果已经收到，但程序在处理时出错了。',
    },
    next: {
      en: 'Ask your assistant for the token status and, if it is not valid, to authorize again.',
      zh: '请让助手查看凭证状态；如果无效，请重新发起授权。',
    },
  },
  ignored: { status: 400, ...NOT_A_LOGIN_PAGE },
  not_found: { status: 404, ...NOT_A_LOGIN_PAGE },
  method_not_allowed: { status: 405, ...NOT_A_LOGIN_PAGE },
  misdirected: {
    status: 421,
    ...NOT_A_LOGIN_PAGE,
    lead: {
      en: 'This request names another host than the redirect URL does, so it was ignored; an authorization that is waiting goes on waiting.',
      zh: '这次访问使用的主机名与重定向 URL 不一致，因此已被忽略；如果有授权正在等待，它会继续等待。',
    },
    next: {
      en: 'To log in, open the link that your assistant gives you. If a proxy stands in front of this address, it must pass the Host header on unchanged.',
      zh: '如需登录，请打开助手给你的授权链接。如果此地址前面有反向代理，请让它原样转发 Host 请求头。',
    },
  },
  forbidden: { status: 403, ...NOT_A_LOGIN_PAGE },
}

/** A page of Feishu's where the person goes on. */
export type Action = { label: Text; url: string }

export type Page =
  | {
      kind: 'succeeded'
      userName: string | null
      profile: string
      accessTokenExpiresAt: number
      /** Null: it cannot be renewed. */
      reauthorizeBy: number | null
      /** What is less than was asked for. */
      notes: { text: Text; action: Action }[]
    }
  | { kind: 'failed'; reason: Text; nextStep: Text; action: Action | null; code: string }
  | { kind: 'denied' | 'already_used' | 'broken' }
  | { kind: 'ignored' | 'not_found' | 'method_not_allowed' | 'misdirected' | 'forbidden' }
