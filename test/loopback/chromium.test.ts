import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFinished, type TestContext, test } from 'vitest'
import { type Listener, listenForCallback } from '../../src/loopback/listener.ts'
import type { Page } from '../../src/loopback/page-text.ts'
import { launchChromium, NO_CHROMIUM } from '../support/chromium.ts'
import { freePort } from '../support/port.ts'

const SCREENSHOT_DIR = process.env.SCREENSHOT_DIR

const CONSOLE = 'https://open.feishu.cn/app/cli_a1b2c3d4e5f6a7b8'
const SETTINGS = {
  label: { en: 'Go to the console: Security settings', zh: '前往开发者后台：安全设置' },
  url: `${CONSOLE}/safe`,
}
const FAILURE = {
  reason: {
    en: 'Feishu: the app may not refresh user tokens.',
    zh: '飞书返回：应用未开启刷新 user_access_token。',
  },
  nextStep: {
    en: 'Turn on "refresh user_access_token" under "Security settings" and publish a version. Then ask your assistant to start the authorization again.',
    zh: '请在“安全设置”中开启“刷新 user_access_token”并发布版本，然后让助手重新发起授权。',
  },
  action: SETTINGS,
}

const NOTES = [
  {
    text: {
      en: 'Feishu gave no refresh token: switch on "Refresh user_access_token" in the console.',
      zh: '飞书没有返回 refresh_token：请在开发者后台打开“刷新 user_access_token”开关。',
    },
    action: SETTINGS,
  },
  {
    text: {
      en: "Not granted: im:message im:message.send_as_user. If you left a box unticked on Feishu's page, tick it next time. If there was no box, enable the scope for user identity.",
      zh: '未授予的权限：im:message im:message.send_as_user。如果你在飞书授权页上取消了勾选，下次登录时请勾选；如果页面上没有这一项，请开通对应的用户身份权限。',
    },
    action: {
      label: { en: 'Go to the console: Permissions & scopes', zh: '前往开发者后台：权限管理' },
      url: `https://open.private.example/app/cli_a1b2c3d4e5f6a7b8/auth?q=im%3Amessage%2Cim%3Amessage.send_as_user&token_type=user`,
    },
  },
]

const PAGES: Record<string, Page> = {
  succeeded: {
    kind: 'succeeded',
    userName: '欧阳晓月',
    profile: 'default',
    accessTokenExpiresAt: Date.UTC(2026, 10, 26, 8, 30),
    reauthorizeBy: Date.UTC(2026, 11, 3, 6, 30),
    notes: [],
    seat: 'assistant',
  },
  'succeeded-unknown-person': {
    kind: 'succeeded',
    userName: null,
    profile: 'default',
    accessTokenExpiresAt: Date.UTC(2026, 10, 26, 8, 30),
    reauthorizeBy: null,
    notes: NOTES,
    seat: 'assistant',
  },
  'succeeded-hostile-name': {
    kind: 'succeeded',
    userName: `\u202e<script>alert(1)</script>${'W'.repeat(5000)}`,
    profile: 'a-profile-with-a-name-that-somebody-made-as-long-as-possible',
    accessTokenExpiresAt: Date.UTC(2026, 10, 26, 8, 30),
    reauthorizeBy: Date.UTC(2026, 11, 3, 6, 30),
    notes: [],
    seat: 'assistant',
  },
  denied: { kind: 'denied' },
  failed: { kind: 'failed', ...FAILURE, code: 'refresh_not_allowed · 20074' },
  'already-used': { kind: 'already_used' },
  ignored: { kind: 'ignored' },
  misdirected: { kind: 'misdirected' },
  broken: { kind: 'broken' },
  outdated: { kind: 'outdated' },
}

/** Every text of the page: its own colour against the nearest painted background (WCAG 2.2, 1.4.3). */
const LOWEST_CONTRAST = `(() => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number)
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0)
  const background = (element) => {
    const color = parse(getComputedStyle(element).backgroundColor)
    return color[3] === 0 && element.parentElement ? background(element.parentElement) : color
  }
  const ratios = [...document.querySelectorAll('main *')]
    .filter((element) => [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()))
    .map((element) => [luminance(parse(getComputedStyle(element).color)), luminance(background(element))])
    .map(([a, b]) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05))
  return Math.min(...ratios)
})()`

/** Everything a page can make a browser send to another address without leaving the page itself. */
const ATTACKS = `(async (url) => {
  const settled = (element, parent = document.body) => new Promise((resolve) => {
    element.onload = element.onerror = resolve
    parent.append(element)
  })
  const make = (name, attributes) => Object.assign(document.createElement(name), attributes)
  await Promise.allSettled([
    fetch(url, { mode: 'no-cors' }),
    fetch(url, { mode: 'cors', credentials: 'include' }),
    fetch(url, { method: 'POST', mode: 'no-cors', body: 'x' }),
    fetch(url, { headers: { 'X-Preflight': '1' } }),
    navigator.sendBeacon(url),
    settled(make('img', { src: url })),
    settled(make('script', { src: url })),
    settled(make('link', { rel: 'stylesheet', href: url })),
    settled(make('iframe', { src: url })),
    settled(make('object', { data: url })),
    settled(make('embed', { src: url })),
    new Promise((resolve) => { new WebSocket(url.replace('http', 'ws')).onerror = resolve }),
  ])
  const frame = make('iframe', { name: 'target' })
  document.body.append(frame)
  const form = make('form', { method: 'post', action: url, target: 'target' })
  document.body.append(form)
  const posted = new Promise((resolve) => { frame.onload = resolve })
  form.submit()
  await posted
})`

const VARIANTS = ['zh-CN', 'en-US'].flatMap((locale) =>
  (['light', 'dark'] as const).map((colorScheme) => ({ locale, colorScheme })),
)
const WIDTHS = [360, 1280]

describe('in Chromium, the pages', () => {
  let browser: Browser | null = null
  let listener: Listener | undefined
  let redirectUri: string
  const queries: string[] = []
  const chromiumOf = (ctx: TestContext): Browser => browser ?? ctx.skip(NO_CHROMIUM)

  beforeAll(async () => {
    browser = await launchChromium()
    if (!browser) return
    process.env.TZ = 'Asia/Shanghai'
    redirectUri = `http://localhost:${await freePort()}/callback`
    listener = await listenForCallback({
      redirectUri,
      listen: null,
      tls: null,
      language: null,
      onResponse: async (query) => {
        queries.push(String(query))
        return PAGES[query.get('page') ?? ''] ?? { kind: 'ignored' }
      },
    })
    if (SCREENSHOT_DIR !== undefined) mkdirSync(SCREENSHOT_DIR, { recursive: true })
  })

  afterAll(async () => {
    await browser?.close()
    await listener?.close()
    delete process.env.TZ
  })

  test.for(VARIANTS)(
    'are right in $locale, $colorScheme, on a telephone and on a desk',
    async (variant, ctx) => {
      const { locale, colorScheme } = variant
      const context = await chromiumOf(ctx).newContext({ locale, colorScheme })
      const tab = await context.newPage()
      const complaints: string[] = []
      tab.on('console', (message) => complaints.push(message.text()))
      tab.on('pageerror', (error) => complaints.push(String(error)))
      const requests: string[] = []
      tab.on('request', (request) => requests.push(request.url()))
      for (const name of Object.keys(PAGES)) {
        await tab.goto(`${redirectUri}?page=${name}`)
        await expect(tab.locator('html').getAttribute('lang')).resolves.toBe(
          locale === 'zh-CN' ? 'zh-CN' : 'en',
        )
        for (const width of WIDTHS) {
          await tab.setViewportSize({ width, height: 800 })
          if (SCREENSHOT_DIR !== undefined) {
            const file = `${name}-${locale}-${colorScheme}-${width}.png`
            await tab.screenshot({ path: join(SCREENSHOT_DIR, file), fullPage: true })
          }
          await expect(tab.getByRole('heading', { level: 1 }).isVisible()).resolves.toBe(true)
          const overflow = await tab.evaluate('document.documentElement.scrollWidth - innerWidth')
          expect(overflow, `${name} overflows at ${width} px`).toBeLessThanOrEqual(0)
          expect(await tab.evaluate('innerWidth')).toBe(width)
          expect(await tab.evaluate(LOWEST_CONTRAST), `contrast of ${name}`).toBeGreaterThanOrEqual(4.5)
          const background = await tab.evaluate('getComputedStyle(document.body).backgroundColor')
          expect(background).toBe(colorScheme === 'dark' ? 'rgb(15, 17, 22)' : 'rgb(243, 244, 247)')
        }
      }
      await context.close()
      const failures = complaints.filter((text) => !/status of (400|410|421|500)/.test(text))
      expect(failures).toEqual([])
      const fetched = requests.filter((url) => !url.startsWith('data:') && !url.startsWith(redirectUri))
      expect(fetched).toEqual([])
    },
  )

  test('the spent code is not in the address bar, and not behind the back button', async (ctx) => {
    const tab = await chromiumOf(ctx).newPage()
    await tab.goto(`${redirectUri}?page=succeeded&code=canary-code&state=canary-state`)
    expect(tab.url()).toMatch(/\/callback\?page=[0-9a-f]{32}$/)
    expect(await tab.getByRole('heading', { level: 1 }).isVisible()).toBe(true)
    await tab.goBack().catch(() => null)
    expect(tab.url()).not.toContain('canary')
    await tab.close()
  })

  test('another page cannot make the browser deliver a response unseen', async (ctx) => {
    const chromiumBrowser = chromiumOf(ctx)
    const server = createServer((_request, response) => {
      response.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html><body>')
    }).listen({ port: 0, host: '127.0.0.1' })
    await once(server, 'listening')
    onTestFinished(() => server.closeAllConnections())
    onTestFinished(() => void server.close())
    const tab = await chromiumBrowser.newPage()
    await tab.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`)
    queries.length = 0
    await tab.evaluate(`${ATTACKS}('${redirectUri}?page=denied')`)
    expect(queries).toEqual([])
    // The control: the same address in the address bar arrives.
    await tab.goto(`${redirectUri}?page=denied`)
    expect(queries).toEqual(['page=denied'])
    await tab.close()
  })
})
