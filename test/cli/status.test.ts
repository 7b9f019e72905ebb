import { expect, test } from 'vitest'
import { inChinese } from '../../src/chinese/sentences.ts'
import { statusText } from '../../src/cli/status.ts'
import { duration, localTime, until } from '../../src/moment.ts'
import type { Authorization } from '../../src/oauth/pending-authorization.ts'
import { inEnglish, say } from '../../src/sentence.ts'
import type { TokenStatus } from '../../src/status/fields.ts'
import { pendingNextStep } from '../../src/status/next-step.ts'

const ANSWER = {
  next_step: say`Nothing.`,
  status: 'valid',
  profile: 'default',
  brand: 'feishu',
  app_id: 'cli_a1',
  user_name: '沙小盒',
  user_open_id: 'ou_1',
  access_token_expires_at: '2026-03-01T10:54:00Z',
  access_token_expires_in: 6_840,
  refresh_token_expires_at: '2026-03-08T09:00:00Z',
  refresh_token_expires_in: 604_800,
  reauthorize_by: '2026-03-08T09:00:00Z',
  granted_scopes: ['docx:document'],
  authorization_status: 'none',
  authorization_error: null,
  key_source: 'file',
  verified: null,
  warnings: [],
} as unknown as TokenStatus

const DOOR = { command: 'feishu-token-mcp', profile: undefined }
const english = (answer: Partial<TokenStatus>) => inEnglish(statusText({ ...ANSWER, ...answer }), DOOR)

test('the status says first who is logged in, then each instant once, in local time', () => {
  const [access, end] = ['2026-03-01T10:54:00Z', '2026-03-08T09:00:00Z'].map(localTime)
  expect(english({}).split('\n')).toEqual([
    'Logged in as 沙小盒.',
    'status:          valid',
    'profile:         default (feishu, app cli_a1)',
    `access token:    until ${access} (in 1 h 54 min)`,
    `login:           until ${end} (in 7 days)`,
    'scopes:          docx:document',
    'key in:          file',
    'next step:       Nothing.',
    '',
  ])
  expect(inChinese(statusText(ANSWER), DOOR).split('\n').slice(0, 5)).toEqual([
    '已登录：沙小盒。',
    '状态：           有效',
    '账号：           default（feishu，应用 cli_a1）',
    `访问凭证：       ${access} 到期（还有 1 小时 54 分钟）`,
    `登录有效期：     ${end} 到期（还有 7 天）`,
  ])
})

test('a store that is not this machine’s alone is named', () => {
  expect(english({ store: 'postgres' })).toContain('\nstore:           postgres\n')
})

test('the two ends are both told where the authorization ends before the refresh token', () => {
  const text = english({ reauthorize_by: '2026-03-05T09:00:00Z' })
  expect(text).toContain(`refresh token:   until ${localTime('2026-03-08T09:00:00Z')} (in 7 days)\n`)
  expect(text).toContain(`login:           until ${localTime('2026-03-05T09:00:00Z')}\n`)
})

test.each([
  [{ status: 'expired' }, 'The login of 沙小盒 has ended.'],
  [{ status: 'expired', user_name: null, user_open_id: null }, 'The login has ended.'],
  [{ status: 'needs_refresh', user_name: null }, 'Logged in as ou_1.'],
  [{ status: 'valid', user_name: null, user_open_id: null }, 'Logged in.'],
  [{ status: 'not_authorized' }, 'Not logged in.'],
  [{ status: 'not_configured' }, 'status:          not configured'],
] as [Partial<TokenStatus>, string][])('%j begins with %j', (answer, first) => {
  expect(english(answer).split('\n')[0]).toBe(first)
})

test('colour marks the status and what to do, and moves no column', () => {
  const paint = (style: string, text: string) => `<${style}>${text}</>`
  const text = inEnglish(statusText({ ...ANSWER, warnings: [say`Look.`] }), { ...DOOR, paint })
  expect(text).toContain('<bold>Logged in as 沙小盒.</>\nstatus:          <green>valid</>\n')
  expect(text).toContain('<yellow>warning:         </>Look.\n<bold>next step:       </>Nothing')
  const chinese = inChinese(statusText(ANSWER), { ...DOOR, paint })
  expect(chinese).toContain('状态：           <green>有效</>\n')
  expect(chinese).toContain('<bold>下一步：         </>无需')
})

test.each([
  [119, '119 s'],
  [120, '2 min'],
  [3_599, '59 min'],
  [6_840, '1 h 54 min'],
  [86_400, '1 day 0 h'],
  [172_800, '2 days'],
])('%i seconds are %s', (seconds, text) => {
  expect(String(duration(seconds))).toBe(text)
})

test('what is over has ended', () => {
  expect(String(until('2026-03-01T10:54:00Z', 0))).toBe(`ended ${localTime('2026-03-01T10:54:00Z')}`)
  expect(until(null, null)).toBeNull()
})

test('local time is that of the zone', () => {
  const { TZ } = process.env
  try {
    process.env.TZ = 'Asia/Shanghai'
    expect(localTime('2026-03-01T16:05:59Z')).toBe('2026-03-02 00:05')
  } finally {
    if (TZ === undefined) delete process.env.TZ
    else process.env.TZ = TZ
  }
})

test('a terminal is not told of the fields of the tools while a login is pending', () => {
  const step = pendingNextStep({ pending: { phase: 'waiting' } } as unknown as Authorization)
  expect(inEnglish(step, DOOR)).toBe('Approve at the link; run `feishu-token-mcp login` to see it again.')
  expect(inChinese(step, DOOR)).toBe(
    '请打开授权链接并授权；如需再次查看链接，请运行 `feishu-token-mcp login`。',
  )
  expect(String(step)).toContain('feishu_error')
})
