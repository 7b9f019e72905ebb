import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { expect, onTestFinished, test, vi } from 'vitest'
import { settle } from '../../src/wiring/settle.ts'
import { connect } from '../support/connection.ts'
import { makeDeps } from '../support/deps.ts'
import { type FakeBrowser, fakeBrowser } from '../support/fake-browser.ts'
import { freePort } from '../support/port.ts'
import { approve, type Server, type Stage, setStage, startServer, visit } from '../support/program.ts'
import { holdTimers } from '../support/timers.ts'

type Dialog = { url: string; elicitationId: string; message: string }

type WithDialog = { server: Server; dialogs: Dialog[]; completed: Promise<string>; browser: FakeBrowser }

/** A client that declares URL elicitation, on a machine with a browser, which must not be opened. */
async function withDialog(
  stage: Stage,
  answer: (dialog: Dialog) => Promise<'accept' | 'decline' | 'cancel'>,
): Promise<WithDialog> {
  const client = new Client({ name: 'dialog', version: '1' }, { capabilities: { elicitation: { url: {} } } })
  const dialogs: Dialog[] = []
  client.setRequestHandler(ElicitRequestSchema, async ({ params }) => {
    const dialog = params as unknown as Dialog
    dialogs.push(dialog)
    return { action: await answer(dialog) }
  })
  const completed = new Promise<string>((resolve) => {
    client.setNotificationHandler(ElicitationCompleteNotificationSchema, ({ params }) =>
      resolve(params.elicitationId),
    )
  })
  const browser = fakeBrowser(stage)
  const server = await startServer(stage, { client, env: browser.env })
  return { server, dialogs, completed, browser }
}

test('a client with URL elicitation shows the link, and is told when the authorization has ended', async () => {
  const stage = await setStage()
  const { server, dialogs, completed, browser } = await withDialog(stage, async () => 'accept')
  const started = await server.call('start_authorization')
  expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
  expect(dialogs).toHaveLength(1)
  expect(dialogs[0]?.url).toBe(started.data.authorization_url)
  await approve(stage, started.data.authorization_url)
  expect(await completed).toBe(dialogs[0]?.elicitationId)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
  expect(browser.wasStarted()).toBe(false)
})

test.each([
  ['en', 'Log in at Feishu (Lark) and approve, so that the assistant can act for you there.'],
  ['zh', '请登录飞书（Lark）并授权，助手才能代你操作。'],
])('the dialog speaks to the person in their language: %s', async (language, message) => {
  const stage = await setStage({ env: { FEISHU_LANG: language } })
  const { server, dialogs } = await withDialog(stage, async () => 'accept')
  await server.call('start_authorization')
  expect(dialogs.map((dialog) => dialog.message)).toEqual([message])
})

test.each(['decline', 'cancel'] as const)(
  '%s proves nothing: the link stays good, no browser is opened',
  async (action) => {
    const stage = await setStage()
    const { server, dialogs, completed, browser } = await withDialog(stage, async () => action)
    const started = await server.call('start_authorization')
    expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
    expect(started.data.authorization_url).toBe(dialogs[0]?.url)
    expect((await server.call('token_status')).data.authorization_status).toBe('pending')
    await approve(stage, started.data.authorization_url)
    expect((await server.call('token_status', { wait_seconds: 20 })).data.authorization_status).toBe(
      'succeeded',
    )
    expect(await completed).toBe(dialogs[0]?.elicitationId)
    expect(browser.wasStarted()).toBe(false)
  },
)

test('a join shows no second dialog unless it is asked for', async () => {
  const stage = await setStage()
  const { server, dialogs } = await withDialog(stage, async () => 'accept')
  await server.call('start_authorization')
  expect((await server.call('start_authorization')).data.joined).toBe(true)
  expect(dialogs).toHaveLength(1)
  await server.call('start_authorization', { open_browser: true })
  expect(dialogs).toHaveLength(2)
})

test('a client that never answers does not hold the call when the person approves by another way', async () => {
  const stage = await setStage()
  const never = new Promise<'accept'>(() => undefined)
  const { server, dialogs } = await withDialog(stage, () => never)
  const started = server.call('start_authorization')
  await expect.poll(() => dialogs.length).toBe(1)
  await approve(stage, dialogs[0]?.url)
  expect((await started).data.status).toBe('succeeded')
})

test.each([
  ['denies', 'denied', (stage: Stage, url: string) => stage.sandbox.deny(url)],
  ['cannot be authorized', 'failed', (stage: Stage, url: string) => failing(stage, url)],
] as const)('the client is told of the end as well when the person %s', async (_, end, answer) => {
  const stage = await setStage()
  const { server, dialogs, completed } = await withDialog(stage, async () => 'accept')
  const started = await server.call('start_authorization')
  await visit(stage, await answer(stage, String(started.data.authorization_url)))
  expect(await completed).toBe(dialogs[0]?.elicitationId)
  const status = await server.call('token_status', { wait_seconds: 20 })
  expect(status.data.authorization_status).toBe(end)
})

function failing(stage: Stage, url: string): Promise<string> {
  stage.sandbox.faults.next({ kind: 'error', code: 20002 })
  return stage.sandbox.approve(url)
}

test('a client that declares what it does not do gets the link at once', async () => {
  const stage = await setStage()
  const { server } = await withDialog(stage, async () => {
    throw new Error('not here')
  })
  const started = await server.call('start_authorization')
  expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
  await approve(stage, started.data.authorization_url)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('a client that stays silent holds the call for half a minute, and the link is in the answer', async () => {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const { deps } = await makeDeps({ env: { FEISHU_REDIRECT_URI: redirectUri } })
  onTestFinished(() => settle(deps))
  const client = new Client({ name: 'dialog', version: '1' }, { capabilities: { elicitation: { url: {} } } })
  const shown = new Promise<Dialog>((resolve) => {
    client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
      resolve(params as unknown as Dialog)
      return new Promise(() => undefined)
    })
  })
  const { call } = await connect(() => deps, client)
  holdTimers()
  let answered = false
  const started = call('start_authorization').finally(() => {
    answered = true
  })
  const { url } = await shown
  await vi.advanceTimersByTimeAsync(29_999)
  expect(answered).toBe(false)
  await vi.advanceTimersByTimeAsync(1)
  const { data } = await started
  expect(data).toMatchObject({ status: 'pending', browser_opened: false, authorization_url: url })
})
