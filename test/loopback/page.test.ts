import { readFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { pageLanguage, renderPage } from '../../src/loopback/page.ts'
import { FAVICON_URL, MARK } from '../../src/loopback/page-style.ts'
import type { Page } from '../../src/loopback/page-text.ts'
import { effortMs } from '../support/effort.ts'

const SUCCEEDED = {
  kind: 'succeeded',
  userName: '张三',
  profile: 'default',
  accessTokenExpiresAt: Date.UTC(2026, 10, 26, 16, 5),
  reauthorizeBy: Date.UTC(2027, 6, 3, 6, 30),
  notes: [],
  seat: 'assistant',
} as const satisfies Page

const FAILED = {
  kind: 'failed',
  reason: { en: 'The app secret is wrong.', zh: '应用密钥不正确。' },
  nextStep: { en: 'Run setup again.', zh: '请重新运行 setup。' },
  action: null,
  code: 'invalid_client · 20002',
} as const satisfies Page

const PAGES: Page[] = [
  SUCCEEDED,
  FAILED,
  { kind: 'denied' },
  { kind: 'already_used' },
  { kind: 'broken' },
  { kind: 'ignored' },
  { kind: 'not_found' },
  { kind: 'method_not_allowed' },
  { kind: 'misdirected' },
  { kind: 'forbidden' },
]

/** What a person sees, without tags. */
function textOf(html: string): string {
  return html
    .slice(html.indexOf('<main>'))
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
}

function nameShown(userName: string): string {
  const { html } = renderPage({ ...SUCCEEDED, userName }, 'en')
  return /<dt>Person<\/dt><dd><bdi>(.*?)<\/bdi>/s.exec(html)?.[1] ?? 'no name'
}

let zone: string | undefined
beforeEach(() => {
  zone = process.env.TZ
  process.env.TZ = 'Asia/Kolkata'
})
afterEach(() => {
  if (zone === undefined) delete process.env.TZ
  else process.env.TZ = zone
})

describe('every page', () => {
  test.each(PAGES)('$kind is complete, self-contained and has no script', (page) => {
    for (const language of ['zh', 'en'] as const) {
      const { html } = renderPage(page, language)
      expect(html).toMatch(/^<!doctype html>\n<html lang="(zh-CN|en)">/)
      expect(html).toContain(language === 'zh' ? 'lang="zh-CN"' : 'lang="en"')
      expect(html).toContain('<meta name="viewport" content="width=device-width, initial-scale=1">')
      expect(html).toMatch(/<title>[^<]{4,} · feishu-token-mcp<\/title>/)
      expect(html.match(/<h1>/g)).toHaveLength(1)
      expect(html).not.toMatch(/<script|javascript:|\son\w+=|\sstyle=|\ssrc=|@import|url\(/i)
      expect(html.match(/\shref="(?!data:image\/svg\+xml,)/g)).toBeNull()
      expect(Buffer.byteLength(html)).toBeLessThan(10_000)
    }
  })

  test.each(PAGES)('$kind says different things in the two languages', (page) => {
    expect(textOf(renderPage(page, 'zh').html)).toMatch(/\p{Script=Han}{4}/u)
    expect(textOf(renderPage({ ...page, userName: 'Ann' } as Page, 'en').html)).not.toMatch(/\p{Script=Han}/u)
  })

  test('the statuses tell a decided authorization from a refused request', () => {
    const statuses = PAGES.map((page) => [page.kind, renderPage(page, 'en').status])
    expect(Object.fromEntries(statuses)).toEqual({
      succeeded: 200,
      failed: 200,
      denied: 200,
      already_used: 410,
      broken: 500,
      ignored: 400,
      not_found: 404,
      method_not_allowed: 405,
      misdirected: 421,
      forbidden: 403,
    })
  })
})

test('the mark on the pages is the icon of the program', () => {
  const shapes = /<svg[^>]*>(.*)<\/svg>/s.exec(readFileSync('docs/icon.svg', 'utf8'))?.[1] ?? 'no shapes'
  expect(MARK).toContain(shapes)
  expect(decodeURIComponent(FAVICON_URL)).toContain(shapes)
})

describe('the page of success', () => {
  test('says who is logged in, in which profile, until when and how long it can be renewed', () => {
    const text = textOf(renderPage(SUCCEEDED, 'en').html)
    expect(text).toContain('Person 张三 Profile default')
    expect(text).toContain('Logged in until 3 July 2027 at 12:00 UTC+05:30 and longer with every use')
    // The end of the access token beside it reads like the end of the login.
    expect(text).not.toContain('26 November')
    expect(text).toContain('You can close this tab and go back to your assistant.')
    expect(textOf(renderPage(SUCCEEDED, 'zh').html)).toContain(
      '登录有效期至 2027年7月3日 12:00 UTC+05:30 每次使用后自动延长',
    )
  })

  test('gives each time the offset of its own date', () => {
    process.env.TZ = 'America/New_York'
    const summer = textOf(renderPage(SUCCEEDED, 'en').html)
    expect(summer).toContain('3 July 2027 at 02:30 UTC−04:00')
    const winter = textOf(renderPage({ ...SUCCEEDED, reauthorizeBy: null }, 'en').html)
    expect(winter).toContain('26 November 2026 at 11:05 UTC−05:00 then someone must log in again')
  })

  test('says what is less than was asked for, in the person’s language, with where to go', () => {
    const label = { en: 'Open it', zh: '打开' }
    const text = { en: 'Not granted: <im:message>.', zh: '未授予的权限。' }
    const ours = { text, action: { label, url: 'https://open.feishu.cn/app/cli_a1/auth?q=im%3Amessage&a=b' } }
    const foreign = { text, action: { label, url: 'https://open.feishu.cn.evil.test/"><script>' } }
    const { html } = renderPage({ ...SUCCEEDED, notes: [ours, foreign] }, 'en')
    expect(textOf(html)).toContain('Needs attention Not granted: &#60;im:message&#62;. Open it')
    expect(html.match(/<a [^>]*>[^<]*<\/a>/g)).toEqual([
      '<a href="https://open.feishu.cn/app/cli_a1/auth?q=im%3Amessage&#38;a=b" rel="noreferrer">Open it</a>',
    ])
    expect(html).not.toMatch(/<script|<im:/)
    expect(textOf(renderPage({ ...SUCCEEDED, notes: [ours] }, 'zh').html)).toContain(
      '需要处理 未授予的权限。 打开',
    )
    expect(renderPage(SUCCEEDED, 'en').html).not.toContain('notes"')
  })

  test('is no green check where something is missing, and does not send the person away as if all were done', () => {
    const note = {
      text: { en: 'Not granted.', zh: '未授予。' },
      action: { label: { en: 'Open', zh: '打开' }, url: 'x:' },
    }
    const { html } = renderPage({ ...SUCCEEDED, notes: [note] }, 'en')
    expect(html).toContain('class="glyph attention"')
    expect(textOf(html)).toContain('Authorized, but something is missing')
    expect(textOf(html)).toContain('Then ask your assistant to start the authorization again.')
    expect(textOf(html)).not.toContain('close this tab')
    expect(renderPage(SUCCEEDED, 'en').html).toContain('class="glyph done"')
  })

  test('sends the person back where the login was started', () => {
    const back = (seat: 'assistant' | 'terminal', language: 'en' | 'zh') =>
      textOf(renderPage({ ...SUCCEEDED, seat }, language).html)
    expect(back('terminal', 'en')).toContain('go back to the terminal')
    expect(back('terminal', 'zh')).toContain('回到终端')
    expect(back('assistant', 'en')).toContain('go back to your assistant')
  })

  test.each([null, '', ' \u200b\u202e\n'])('says so when the person is not known (%j)', (userName) => {
    expect(textOf(renderPage({ ...SUCCEEDED, userName }, 'en').html)).toContain('Person name not known yet')
  })
})

describe('a name from Feishu', () => {
  test.each([
    ['<img src=x onerror=alert(1)>', '&#60;img src=x onerror=alert(1)&#62;'],
    [`"'&amp;`, '&#34;&#39;&#38;amp;'],
    ['\u202eevil\u2066\u200f\u061c', 'evil'],
    ['a\u0000b\u001b[31mc\r\nd\u2028e\u0085f', 'a b [31mc d e f'],
    ['\ud800Zoë\udc00', 'Zoë'],
    ['  王\u3000小明 ', '王 小明'],
    ['e\u0301\u0301\u0301\u0301\u0301\u0301\u0301', 'e\u0301\u0301\u0301\u0301'],
  ])('%j is shown as %j', (userName, shown) => {
    expect(nameShown(userName)).toBe(shown)
  })

  test('is cut to 64 characters, whole ones, however long it is', () => {
    expect(nameShown('字'.repeat(64))).toBe('字'.repeat(64))
    expect(nameShown('字'.repeat(65))).toBe(`${'字'.repeat(64)}…`)
    expect(nameShown('😀'.repeat(1_000_000))).toBe(`${'😀'.repeat(64)}…`)
  })

  test('cannot reach the profile either', () => {
    const { html } = renderPage({ ...SUCCEEDED, profile: '</bdi><script>\u202e' }, 'en')
    expect(html).toContain('<bdi>&#60;/bdi&#62;&#60;script&#62;</bdi>')
  })
})

describe('the page of failure', () => {
  test('gives the reason, the next step and the code in the language of the page', () => {
    expect(textOf(renderPage(FAILED, 'en').html)).toBe(
      'feishu-token-mcp Authorization failed The app secret is wrong. Next step Run setup again. Error code invalid_client · 20002',
    )
    expect(textOf(renderPage(FAILED, 'zh').html)).toContain('应用密钥不正确。 下一步 请重新运行 setup。')
  })

  test.each([
    [
      'open https://open.feishu.cn/app/cli_1/auth?q=a:b,c:d&op_from=x.',
      'https://open.feishu.cn/app/cli_1/auth?q=a:b,c:d&#38;op_from=x',
    ],
    ['打开https://open.larksuite.com/app/cli_1/safe。', 'https://open.larksuite.com/app/cli_1/safe'],
  ])('makes the console address in %j a link', (text, url) => {
    const { html } = renderPage({ ...FAILED, nextStep: { en: text, zh: text } }, 'zh')
    expect(html).toContain(`<a href="${url}" rel="noreferrer">${url}</a>`)
  })

  test.each([
    'http://open.feishu.cn/app',
    'https://open.feishu.cn.evil.example/app',
    'https://open.feishu.cn@evil.example/',
    'https://evil.example/?https:',
    'javascript:alert(1)',
  ])('leaves %j a text', (text) => {
    const { html } = renderPage({ ...FAILED, reason: { en: text, zh: text } }, 'en')
    expect(html).not.toContain('<a ')
    expect(html).toContain(text)
  })

  test('escapes its texts and the code', () => {
    const text = '<b onclick="x">&'
    const { html } = renderPage({ ...FAILED, reason: { en: text, zh: text }, code: text }, 'en')
    expect(html.match(/&#60;b onclick=&#34;x&#34;&#62;&#38;/g)).toHaveLength(2)
  })
})

describe('the language', () => {
  test.each([
    [undefined, 'en'],
    ['', 'en'],
    ['*', 'en'],
    ['fr-FR,fr;q=0.9', 'en'],
    ['zh-CN,zh;q=0.9,en;q=0.8', 'zh'],
    ['en-US,en;q=0.9,zh-CN;q=0.8', 'en'],
    ['fr,zh-TW;q=0.5,en;q=0.4', 'zh'],
    ['ZH-Hans-CN', 'zh'],
    ['zh , en', 'zh'],
    ['en;q=0.3, zh ; q=0.7', 'zh'],
    ['zh;q=0, en;q=0.1', 'en'],
    ['zhx', 'en'],
    ['zh;q=1.2.3', 'en'],
    ['zh;q=high', 'en'],
  ] as const)('of Accept-Language %j is %s', (header, language) => {
    expect(pageLanguage(header, null)).toBe(language)
  })

  test('of the setting wins', () => {
    expect(pageLanguage('zh-CN', 'en')).toBe('en')
    expect(pageLanguage('en', 'zh')).toBe('zh')
  })

  test('is found in bounded time in a hostile header', () => {
    // Longer than Node takes any header: what grows with the square would take a minute.
    const effort = effortMs(() => {
      for (const header of [
        `zh${' '.repeat(200_000)}x`,
        `zh${'-a'.repeat(100_000)};`,
        `zh;q=${'1.'.repeat(100_000)}x`,
      ]) {
        expect(pageLanguage(header, null)).toBe('en')
      }
    })
    expect(effort).toBeLessThan(2_000)
  })
})
