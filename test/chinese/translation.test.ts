import { renderUnicodeCompact } from 'uqr'
import { describe, expect, test } from 'vitest'
import { inChinese } from '../../src/chinese/translation.ts'
import { effortMs } from '../support/effort.ts'

test.each([
  ['Nothing is needed: the token is valid.', '无需任何操作：凭证有效。'],
  [
    'A person must authorize again by 2026-11-29T08:00:42.000Z unless it is refreshed before.',
    '如在此之前未刷新，需在 2026-11-29T08:00:42.000Z 前重新授权。',
  ],
  [
    'FAILED: There is no command "x". See `feishu-token-mcp --help`. [code=config_invalid recovery=fix_config]',
    '失败：没有命令 "x"。请查看 `feishu-token-mcp --help`。[code=config_invalid recovery=fix_config]',
  ],
  [
    'The code was sent, but no usable answer came: open.feishu.cn could not be reached (ECONNRESET).',
    '授权码已发送，但未收到可用的答复：无法连接 open.feishu.cn（ECONNRESET）。',
  ],
  [
    'Feishu answered 20064: the refresh token was revoked or has been used ("It was revoked. Please note. Once only.").',
    '飞书返回 20064：refresh_token 已被撤销或已使用（“It was revoked. Please note. Once only.”）。',
  ],
  [
    'FEISHU_BRAND must be one of feishu, lark; FEISHU_OPEN_BROWSER must be true or false.',
    'FEISHU_BRAND 只能是 feishu, lark 之一；FEISHU_OPEN_BROWSER 只能是 true 或 false。',
  ],
  [
    'Run `feishu-token-mcp refresh --force`, because Feishu refused the access token; to authorize anew, run `feishu-token-mcp login` for a new link.',
    '请运行 `feishu-token-mcp refresh --force`，因为飞书拒绝了该访问凭证；如需重新授权，请运行 `feishu-token-mcp login` 获取新的链接。',
  ],
  ['/home/a b/x.json is damaged; it was left as it is.', '/home/a b/x.json 已损坏；文件保持原样。'],
])('%s', (english, chinese) => {
  expect(inChinese(english)).toBe(chinese)
})

test('columns stay under each other', () => {
  expect(inChinese('status:          valid\nlog in again by: 2026-11-29\nprofile:         work\n')).toBe(
    '状态：           有效\n需重新登录：     2026-11-29\n配置：           work\n',
  )
  expect(inChinese('work     not authorized  -\ndefault  valid           ou_1')).toBe(
    'work     未授权          -\ndefault  有效            ou_1',
  )
  expect(inChinese('pass  app: Feishu accepts the credentials of cli_a1.')).toBe(
    '通过  应用：飞书接受应用 cli_a1 的凭证。',
  )
})

describe('is left as it is:', () => {
  test.each([
    ['a text that is not ours', 'Some other program wrote this line. And this one.'],
    [
      'a diff',
      '--- /home/a/.claude.json\n+++ /home/a/.claude.json\n+  "status": "valid",\n@@ line 3: env.X @@',
    ],
    ['a link', 'https://accounts.feishu.cn/open-apis/authen/v1/authorize?client_id=cli_a1&scope=a%20b'],
    ['JSON', '{\n  "mcpServers": {\n    "feishu-token": { "command": "node" }\n  }\n}\n'],
    [
      'a picture of a link',
      renderUnicodeCompact('https://accounts.feishu.cn/oauth/v1/device/verify?user_code=A1B2-C3D4'),
    ],
    ['nothing', ''],
    ['what is Chinese already', '状态：           有效\n'],
  ])('%s', (_, text) => {
    expect(inChinese(text)).toBe(text)
  })
})

test('a name that is a word of ours is not translated', () => {
  expect(inChinese('profile:         expired (feishu, app cli_a1)')).toBe(
    '配置：           expired（feishu，应用 cli_a1）',
  )
  expect(inChinese('There is no profile "valid".')).toBe('没有名为“valid”的配置。')
})

test('a line of any length and shape is done in no time worth naming', () => {
  const effort = effortMs(() => {
    for (const piece of ['a b. ', ': ; ( ', 'x', 'Run `', '9000 ']) {
      inChinese(piece.repeat(5_000 / piece.length))
      inChinese(piece.repeat(1_000_000))
    }
  })
  // Milliseconds on any machine; what grows with more than the square would take minutes.
  expect(effort).toBeLessThan(10_000)
})
