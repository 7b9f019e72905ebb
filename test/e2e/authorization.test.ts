import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { NO_SIGNALS, skipIf } from '../support/needs.ts'
import { approve, type Server, type Stage, setStage, startServer, visit } from '../support/program.ts'

async function begin(server: Server, args: Record<string, unknown> = {}): Promise<string> {
  const started = await server.call('start_authorization', { open_browser: false, ...args })
  expect(started.data, started.text).toMatchObject({ status: 'pending' })
  return String(started.data.authorization_url)
}

async function listenOn(port: number, host: string): Promise<() => Promise<void>> {
  const server = createServer().listen({ port, host, exclusive: true, ipv6Only: true })
  await once(server, 'listening')
  const close = async (): Promise<void> => {
    server.close()
    await once(server, 'close')
  }
  return close
}

/** Throws when anybody holds the callback port, on either family. */
async function expectFreePort(stage: Stage): Promise<void> {
  for (const host of ['127.0.0.1', '::1']) await (await listenOn(stage.port, host))()
}

async function kill(server: Server, signal: NodeJS.Signals): Promise<number | string | null> {
  server.transport.child.kill(signal)
  const { code, signal: by } = await server.transport.closed
  return code ?? by
}

test('a second process joins with the same link, reports what is pending, and tells the end', async () => {
  const stage = await setStage()
  const first = await startServer(stage)
  const second = await startServer(stage)
  const scopes = ['docx:document:readonly']
  const started = await first.call('start_authorization', { open_browser: false, scopes })
  for (const server of [first, second]) {
    const joined = await server.call('start_authorization', { scopes: ['im:chat'] })
    expect(joined.data).toMatchObject({
      status: 'pending',
      joined: true,
      browser_opened: false,
      authorization_url: started.data.authorization_url,
      expires_at: started.data.expires_at,
      requested_scopes: ['docx:document:readonly', 'offline_access'],
    })
    expect(joined.data.next_step).toContain('cancel')
  }
  const waiting = second.call('token_status', { wait_seconds: 20 })
  await approve(stage, started.data.authorization_url)
  expect((await waiting).data).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  await expectFreePort(stage)
})

test('the link asks for the scopes with spaces', async () => {
  const stage = await setStage({ env: { FEISHU_SCOPES: 'docx:document,im:message，offline_access' } })
  const server = await startServer(stage)
  await server.call('token_status')
  const url = new URL(await begin(server))
  expect(url.origin).toBe(stage.sandbox.url)
  expect(Object.fromEntries(url.searchParams)).toEqual({
    client_id: stage.sandbox.app.appId,
    response_type: 'code',
    redirect_uri: stage.env.FEISHU_REDIRECT_URI,
    scope: 'docx:document im:message offline_access',
    state: expect.stringMatching(/^[\w-]{27}$/),
    code_challenge: expect.stringMatching(/^[\w-]{43}$/),
    code_challenge_method: 'S256',
  })
})

test('another process cancels: the port is free with the answer, and a new link begins at once', async () => {
  const stage = await setStage()
  const first = await startServer(stage)
  const second = await startServer(stage)
  const url = await begin(first)
  const cancelled = await second.call('start_authorization', { cancel: true })
  expect(cancelled.data).toMatchObject({ status: 'cancelled', authorization_url: null })
  await expectFreePort(stage)
  expect((await first.call('token_status')).data).toMatchObject({ authorization_status: 'cancelled' })
  const next = await begin(second)
  expect(next).not.toBe(url)
  await approve(stage, next)
  expect((await first.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('a process that is killed leaves a link that the next one listens for', async () => {
  const stage = await setStage()
  const first = await startServer(stage)
  const url = await begin(first)
  expect(await kill(first, 'SIGKILL')).toBe('SIGKILL')
  const second = await startServer(stage)
  expect((await second.call('token_status')).data).toMatchObject({
    authorization_status: 'pending',
    authorization_url: url,
  })
  const joined = await second.call('start_authorization')
  expect(joined.data).toMatchObject({ joined: true, authorization_url: url, browser_opened: false })
  expect((await approve(stage, url)).status).toBe(200)
  expect((await second.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('a pasted address works where nobody listens any more', async () => {
  const stage = await setStage()
  const first = await startServer(stage)
  const location = await stage.sandbox.approve(await begin(first))
  await kill(first, 'SIGKILL')
  const second = await startServer(stage)
  const wrong = await second.call('start_authorization', {
    callback_url: location.replace('state=', 'state=x'),
  })
  expect(wrong.text).toMatch(/still waiting.*code=state_mismatch recovery=reauthorize\]$/s)
  expect((await second.call('token_status')).data.authorization_status).toBe('pending')
  const pasted = await second.call('start_authorization', { callback_url: location })
  expect(pasted.data).toMatchObject({ status: 'succeeded', joined: false })
  const again = await second.call('start_authorization', { callback_url: location })
  expect(again.text).toMatch(/has succeeded.*code=state_mismatch/s)
  await expectFreePort(stage)
})

test('a pasted address works in another process than the one that listens, which closes its port', async () => {
  const stage = await setStage()
  const first = await startServer(stage)
  const second = await startServer(stage)
  const location = await stage.sandbox.approve(await begin(first))
  expect((await second.call('start_authorization', { callback_url: location })).data.status).toBe('succeeded')
  await expectFreePort(stage)
  expect((await first.call('token_status')).data).toMatchObject({ authorization_status: 'succeeded' })
})

test('a pasted refusal and a pasted failure say what happened', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const denied = await stage.sandbox.deny(await begin(server))
  const refusal = await server.call('start_authorization', { callback_url: denied })
  expect(refusal.text).toMatch(/declined.*\[code=access_denied recovery=reauthorize\]$/s)
  const location = await stage.sandbox.approve(await begin(server))
  stage.sandbox.faults.next({ kind: 'error', code: 20002 })
  const failure = await server.call('start_authorization', { callback_url: location })
  expect(failure.text).toMatch(/\[code=invalid_client recovery=fix_config feishu_code=20002 log_id=[\w-]+\]$/)
  expect((await server.call('token_status')).data.authorization_error).toContain('20002')
})

const ENDINGS: [string, (server: Server) => unknown, number][] = [
  ['the end of stdin', (server) => server.transport.child.stdin?.end(), 0],
  ['SIGTERM', (server) => server.transport.child.kill('SIGTERM'), 143],
  ['SIGINT', (server) => server.transport.child.kill('SIGINT'), 130],
]

test.for(ENDINGS)(
  '%s while a link is pending frees the port and keeps the link',
  async ([, end, code], context) => {
    if (code > 0) skipIf(NO_SIGNALS, context)
    const stage = await setStage()
    const first = await startServer(stage)
    const url = await begin(first)
    end(first)
    expect(await first.transport.closed).toEqual({ code, signal: null })
    await expectFreePort(stage)
    const second = await startServer(stage)
    expect((await second.call('start_authorization')).data).toMatchObject({
      joined: true,
      authorization_url: url,
    })
    await approve(stage, url)
    expect((await second.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
  },
)

/** Longer than a closing listener waits for the pages that are on their way. */
const SLOW_MS = 1_500

/** Resolves when the code has reached a Feishu that is slow to answer; whatever comes after it is quick again. */
async function slowExchange(stage: Stage): Promise<void> {
  const { knobs, requests } = stage.sandbox
  knobs.latencyMs = SLOW_MS
  await expect.poll(() => requests.map(({ path }) => path).join()).toContain('oauth/token')
  knobs.latencyMs = 0
}

test.for(ENDINGS)(
  '%s while the code is exchanged keeps the tokens, and the page arrives',
  async ([, end, code], context) => {
    if (code > 0) skipIf(NO_SIGNALS, context)
    const stage = await setStage()
    const first = await startServer(stage)
    const location = await stage.sandbox.approve(await begin(first))
    const page = visit(stage, location)
    await slowExchange(stage)
    end(first)
    expect((await page).status).toBe(200)
    expect(await first.transport.closed).toEqual({ code, signal: null })
    await expectFreePort(stage)
    const second = await startServer(stage)
    const after = await second.call('token_status', { wait_seconds: 20 })
    expect(after.data).toMatchObject({ status: 'valid', authorization_status: 'succeeded', generation: 1 })
    expect(stage.sandbox.ledger.filter((entry) => entry.kind === 'code')).toHaveLength(1)
  },
)

test('the end of stdin while a pasted address is exchanged keeps the tokens', async () => {
  const stage = await setStage()
  const server = await startServer(stage)
  const location = await stage.sandbox.approve(await begin(server))
  const pasted = server.call('start_authorization', { callback_url: location }).catch(() => null)
  await slowExchange(stage)
  server.transport.child.stdin?.end()
  expect(await server.transport.closed).toEqual({ code: 0, signal: null })
  await pasted
  const next = await startServer(stage)
  expect((await next.call('token_status')).data).toMatchObject({ status: 'valid', generation: 1 })
})

test.for(['127.0.0.1', '::1'])(
  'a stranger on the port at %s gets no code: there is no link, and a clear error',
  async (host) => {
    const stage = await setStage()
    const release = await listenOn(stage.port, host)
    const server = await startServer(stage)
    const refused = await server.call('start_authorization')
    expect(refused.text).toMatch(/\[code=callback_port_in_use recovery=fix_config\]$/)
    expect(refused.text).toContain(`Port ${stage.port} on ${host}`)
    expect(refused.text).not.toContain('state=')
    expect((await server.call('token_status')).data).toMatchObject({ authorization_status: 'none' })
    await release()
    await begin(server)
  },
)

test('a denial is told to a process that only joined, and the next link begins at once', async () => {
  const stage = await setStage()
  const first = await startServer(stage)
  const second = await startServer(stage)
  const url = await begin(first)
  await begin(second)
  const waiting = second.call('token_status', { wait_seconds: 20 })
  const page = await visit(stage, await stage.sandbox.deny(url))
  expect(page.status).toBe(200)
  expect((await waiting).data).toMatchObject({ authorization_status: 'denied', status: 'not_authorized' })
  await expectFreePort(stage)
  await approve(stage, await begin(second))
  expect((await first.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})
