// What the pages after an approval say, in both languages.

import type { Bilingual } from '../sentence.ts'
import type { GLYPHS } from './page-style.ts'

type Face = { status: number; glyph: keyof typeof GLYPHS; title: Bilingual; lead: Bilingual; next: Bilingual }

export const LABELS: Record<
  | 'nextStep'
  | 'notes'
  | 'errorCode'
  | 'account'
  | 'unknownName'
  | 'profile'
  | 'loggedInUntil'
  | 'renewed'
  | 'notRenewed',
  Bilingual
> = {
  nextStep: { en: 'Next step', zh: '下一步' },
  notes: { en: 'Needs attention', zh: '需要处理' },
  errorCode: { en: 'Error code', zh: '错误码' },
  account: { en: 'Person', zh: '用户' },
  unknownName: { en: 'name not known yet', zh: '暂未取得姓名' },
  profile: { en: 'Profile', zh: '账号' },
  loggedInUntil: { en: 'Logged in until', zh: '登录有效期至' },
  renewed: {
    en: 'and longer with every use; the token is renewed by itself',
    zh: '每次使用后自动延长，凭证会自动刷新',
  },
  notRenewed: { en: 'then someone must log in again', zh: '到期后需要重新登录' },
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

const FAILED: Face = {
  // 200, because proxies replace the page of an error status with one of their own.
  status: 200,
  glyph: 'attention',
  title: { en: 'Authorization failed', zh: '授权失败' },
  lead: { en: '', zh: '' },
  next: { en: '', zh: '' },
}

/** Where a person goes after a login. */
export const GO_BACK: Record<Seat, Bilingual> = {
  assistant: {
    en: 'You can close this tab and go back to your assistant.',
    zh: '现在可以关闭此页面，回到你的助手。',
  },
  terminal: {
    en: 'You can close this tab and go back to the terminal.',
    zh: '现在可以关闭此页面，回到终端。',
  },
}

/** What a person does whose login is not complete. */
export const FIX: Record<Seat, Bilingual> = {
  assistant: {
    en: 'Fix what is listed above; a change in the console needs a new version to be published. Then ask your assistant to start the authorization again. Until then it works with what was granted.',
    zh: '请先处理以上内容（在开发者后台的修改需要发布版本才会生效），然后让助手重新发起授权。在此之前，助手只能使用已授予的权限。',
  },
  terminal: {
    en: 'Fix what is listed above; a change in the console needs a new version to be published. Then log in again in the terminal. Until then your assistant works with what was granted.',
    zh: '请先处理以上内容（在开发者后台的修改需要发布版本才会生效），然后在终端中重新登录。在此之前，助手只能使用已授予的权限。',
  },
}

/** What a person does who declined by mistake. */
export const DECLINED: Record<Seat, Bilingual> = {
  assistant: {
    en: 'You can close this tab. If this was a mistake, ask your assistant to authorize again.',
    zh: '可以关闭此页面。如果是误操作，请让助手重新发起授权。',
  },
  terminal: {
    en: 'You can close this tab. If this was a mistake, log in again in the terminal.',
    zh: '可以关闭此页面。如果是误操作，请在终端中重新登录。',
  },
}

/** `failed` brings its own reason and next step; where `succeeded`, `incomplete` and `denied` lead to depends on where the login was started. */
export const FACES: Record<Page['kind'] | 'incomplete', Face> = {
  succeeded: {
    status: 200,
    glyph: 'done',
    title: { en: 'Authorization complete', zh: '授权成功' },
    lead: { en: 'Your assistant can now act as this person.', zh: '助手现在可以以此用户的身份工作。' },
    next: { en: '', zh: '' },
  },
  incomplete: {
    status: 200,
    glyph: 'attention',
    title: { en: 'Authorized, but something is missing', zh: '已授权，但不完整' },
    lead: {
      en: 'Your assistant can work, but not with everything that was asked for.',
      zh: '助手可以工作，但没有获得所请求的全部内容。',
    },
    next: { en: '', zh: '' },
  },
  denied: {
    status: 200,
    glyph: 'declined',
    title: { en: 'Access was not granted', zh: '未获授权' },
    lead: {
      en: 'You declined the request, so nothing was authorized. An authorization from before stays as it was.',
      zh: '你拒绝了这次请求，因此没有授予任何权限；之前已有的授权不受影响。',
    },
    next: { en: '', zh: '' },
  },
  failed: FAILED,
  unstored: FAILED,
  outdated: {
    status: 400,
    glyph: 'used',
    title: { en: 'This link is out of date', zh: '这个链接已经过期' },
    lead: {
      en: 'A newer login has been started since, and it is still waiting. Nothing was authorized with the old link.',
      zh: '此后又发起了新的登录，正在等待授权。旧链接没有授予任何权限。',
    },
    next: {
      en: 'Use the newest link: ask your assistant for it, or look in the terminal where you started the login.',
      zh: '请使用最新的链接：向助手索取，或查看发起登录的终端。',
    },
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
    glyph: 'attention',
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
      en: 'To log in, open the link that your assistant gives you. If a proxy is in front of this address, it must pass the Host header on unchanged.',
      zh: '如需登录，请打开助手给你的授权链接。如果此地址前面有反向代理，请让它原样转发 Host 请求头。',
    },
  },
  forbidden: { status: 403, ...NOT_A_LOGIN_PAGE },
}

/** Where the person sits who started the authorization. */
export type Seat = 'assistant' | 'terminal'

/** A page of Feishu's where the person goes on. */
export type Action = { label: Bilingual; url: string }

export type Page =
  | {
      kind: 'succeeded'
      userName: string | null
      profile: string
      accessTokenExpiresAt: number
      /** Null: it cannot be renewed. */
      reauthorizeBy: number | null
      /** What is less than was asked for. */
      notes: { text: Bilingual; action: Action }[]
      seat: Seat
    }
  /** `unstored`: nothing has ended, the same address may be opened again. */
  | {
      kind: 'failed' | 'unstored'
      reason: Bilingual
      nextStep: Bilingual
      action: Action | null
      code: string
    }
  /** Without `seat`: at an assistant. */
  | { kind: 'denied'; seat?: Seat }
  | { kind: 'already_used' | 'outdated' | 'broken' }
  | { kind: 'ignored' | 'not_found' | 'method_not_allowed' | 'misdirected' | 'forbidden' }
