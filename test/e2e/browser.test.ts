import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished, type TestContext, test } from 'vitest'
import { launchChromium, NO_CHROMIUM } from '../support/chromium.ts'
import { type Server, type Stage, setStage, startServer } from '../support/program.ts'

let browser: Browser | null = null

beforeAll(async () => {
  browser = await launchChromium()
})

afterAll(async () => browser?.close())

/** A tab in which the person has opened the link that the assistant showed. */
async function openLink(
  ctx: TestContext,
  locale: string,
): Promise<{ stage: Stage; server: Server; tab: Page }> {
  if (!browser) return ctx.skip(NO_CHROMIUM)
  const stage = await setStage()
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  const context = await browser.newContext({ locale })
  onTestFinished(() => context.close())
  const tab = await context.newPage()
  await tab.goto(String(started.data.authorization_url))
  return { stage, server, tab }
}

test('a person who clicks Approve lands on our page, which says who is logged in', async (ctx) => {
  const { stage, server, tab } = await openLink(ctx, 'en-US')
  const waiting = server.call('token_status', { wait_seconds: 30 })
  await tab.click('#approve')
  await tab.waitForURL(`${stage.env.FEISHU_REDIRECT_URI}?**`)
  expect(await tab.locator('html').getAttribute('lang')).toBe('en')
  expect(await tab.locator('main').textContent()).toContain(stage.sandbox.user.name)
  expect((await waiting).data).toMatchObject({ status: 'valid', user_name: stage.sandbox.user.name })
  // The code has been spent and the port closed: going back and forth does no harm.
  await tab.reload().catch(() => undefined)
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid', generation: 1 })
  expect(stage.sandbox.ledger.filter((entry) => entry.kind === 'code')).toHaveLength(1)
})

test('a person who clicks Deny lands on our page, in their language, and the assistant learns of it', async (ctx) => {
  const { stage, server, tab } = await openLink(ctx, 'zh-CN')
  const waiting = server.call('token_status', { wait_seconds: 30 })
  await tab.click('#deny')
  await tab.waitForURL(`${stage.env.FEISHU_REDIRECT_URI}?**`)
  expect(await tab.locator('html').getAttribute('lang')).toBe('zh-CN')
  expect((await waiting).data).toMatchObject({ status: 'not_authorized', authorization_status: 'denied' })
})

test('a person who logs in as somebody else reads on our page why nothing changed', async (ctx) => {
  const { stage, server, tab } = await openLink(ctx, 'en-US')
  await tab.click('#approve')
  await tab.waitForURL(`${stage.env.FEISHU_REDIRECT_URI}?**`)
  await server.call('token_status', { wait_seconds: 30 })
  const eve = stage.sandbox.addUser({ name: 'Eve' })
  const again = await server.call('start_authorization', { open_browser: false })
  await tab.goto(String(again.data.authorization_url))
  await tab.selectOption('select[name="user"]', eve.openId)
  await tab.click('#approve')
  await tab.waitForURL(`${stage.env.FEISHU_REDIRECT_URI}?**`)
  expect(await tab.locator('main').textContent()).toMatch(/"Eve".*was kept/s)
  const after = await server.call('token_status', { wait_seconds: 30 })
  expect(after.data).toMatchObject({ status: 'valid', authorization_status: 'failed', generation: 1 })
})
