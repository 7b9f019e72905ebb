import { createServer } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startSandbox } from '../feishu-sandbox/sandbox.ts'
import { ask, failureOf, listen, serveBytes } from './transport-peers.ts'

describe('the deadline', () => {
  test('stands over a server that never answers', async () => {
    const server = await serveBytes(() => undefined)
    const startedAt = performance.now()
    const answer = failureOf(await ask(server.url, { deadlineMs: 2_000 }))
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(1_990)
    expect(answer).toMatchObject({ sent: true, error: { code: 'network_error' } })
    expect(answer.error.message).toContain('did not answer within 2 s')
    await server.closed
  })

  test('counts from the start, not from the last byte', async () => {
    const sandbox = await startSandbox()
    onTestFinished(() => sandbox.close())
    sandbox.faults.next({ kind: 'drip', everyMs: 20 })
    const body = `grant_type=refresh_token&client_id=${sandbox.app.appId}&client_secret=${sandbox.app.appSecret}&refresh_token=${sandbox.issue().refresh_token}`
    const url = `${sandbox.url}/open-apis/authen/v2/oauth/token`
    const answer = failureOf(await ask(url, { body, deadlineMs: 2_000 }))
    expect(answer.sent).toBe(true)
    expect(answer.partialBody.toString()).toMatch(/^\{"code"/)
  })

  test('is over a connection that is never accepted, too', async () => {
    const server = createServer({ pauseOnConnect: true })
    const port = await listen(server)
    const answer = failureOf(await ask(`http://127.0.0.1:${port}/`, { deadlineMs: 200 }))
    expect(answer.error.code).toBe('network_error')
  })
})
