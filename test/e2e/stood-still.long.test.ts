// A machine that stood still (a suspended laptop, a busy host) in the middle of the browser's request.

import { once } from 'node:events'
import { connect } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openListener, requestBytes } from '../loopback/client.ts'
import { setStage, startServer } from '../support/program.ts'

/** Longer than the listener waits for a request that stays away. */
const STILL_MS = 10_000

test.each([
  ['before a byte of it has come', 0],
  ['in the middle of its head', 30],
])('the login succeeds although the process stood still %s', async (_when, sent) => {
  const stage = await setStage()
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  const address = new URL(await stage.sandbox.approve(String(started.data.authorization_url)))
  const request = `GET ${address.pathname}${address.search} HTTP/1.1\r\nHost: ${address.host}\r\nAccept-Language: en\r\n\r\n`
  const browser = connect(Number(address.port), 'localhost')
  await once(browser, 'connect')
  browser.write(request.slice(0, sent))
  // Time to take it up.
  await pause(500)
  process.kill(server.pid, 'SIGSTOP')
  browser.write(request.slice(sent))
  await pause(STILL_MS)
  process.kill(server.pid, 'SIGCONT')
  const [answer] = await once(browser, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 303 /)
  browser.destroy()
  expect((await server.call('token_status', { wait_seconds: 20 })).data).toMatchObject({
    status: 'valid',
    authorization_status: 'succeeded',
  })
})

test('what has arrived by then is read, also where the process was not waiting for it just then', async () => {
  const { port, queries } = await openListener()
  const browser = connect(port, '127.0.0.1')
  await once(browser, 'connect')
  const request = requestBytes(port, '/callback?code=x')
  browser.write(request.slice(0, 30))
  await pause(500)
  // What follows this in the loop are timers, and what was received comes after them.
  await new Promise((resume) => setImmediate(resume))
  browser.write(request.slice(30))
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5_000)
  const [answer] = await once(browser, 'data')
  expect(String(answer)).toMatch(/^HTTP\/1\.1 303 /)
  expect(queries.map(String)).toEqual(['code=x'])
  browser.destroy()
})
