import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import {
  ElicitationCompleteNotificationSchema,
  ElicitRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { expect, test } from 'vitest'
import { approve, type Server, type Stage, setStage, startServer } from '../support/program.ts'

type Dialog = { url: string; elicitationId: string; message: string }

/** A client that declares URL elicitation, and a fake `xdg-open` that must not be called. */
async function withDialog(
  stage: Stage,
  answer: (dialog: Dialog) => Promise<'accept' | 'decline' | 'cancel'>,
): Promise<{ server: Server; dialogs: Dialog[]; completed: Promise<string> }> {
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
  const server = await startServer(stage, { client, env: { DISPLAY: ':0', PATH: '' } })
  return { server, dialogs, completed }
}

test('a client with URL elicitation shows the link, and is told when the authorization has ended', async () => {
  const stage = await setStage()
  const { server, dialogs, completed } = await withDialog(stage, async () => 'accept')
  const started = await server.call('start_authorization')
  expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
  expect(dialogs).toHaveLength(1)
  expect(dialogs[0]?.url).toBe(started.data.authorization_url)
  await approve(stage, started.data.authorization_url)
  expect(await completed).toBe(dialogs[0]?.elicitationId)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test.each(['decline', 'cancel'] as const)(
  '%s proves nothing: the link stays good, no browser is opened',
  async (action) => {
    const stage = await setStage()
    const { server } = await withDialog(stage, async () => action)
    const started = await server.call('start_authorization')
    expect(started.data).toMatchObject({ status: 'pending', browser_opened: false })
    expect((await server.call('token_status')).data.authorization_status).toBe('pending')
    await approve(stage, started.data.authorization_url)
    expect((await server.call('token_status', { wait_seconds: 20 })).data.authorization_status).toBe(
      'succeeded',
    )
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
