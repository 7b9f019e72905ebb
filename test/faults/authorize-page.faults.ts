// The sweep of an authorization judges what a person is shown: its browser and its Feishu must not be what is at fault.

import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { visit } from './authorization.ts'
import { setAuthorizeTrial } from './authorize-trial.ts'
import { start } from './process.ts'
import { openTheatre } from './scene.ts'
import { AUTHORIZE_SWEEP, sweptProgram } from './sweeps.ts'
import { WHOLE } from './variant.ts'

test.each(['user_info', 'token'] as const)(
  'where Feishu answers %s later than the program waits, the page tells it, and the program of the sweep waits',
  async (endpoint) => {
    const theatre = await openTheatre()
    onTestFinished(() => theatre.close())
    const held = theatre.sandbox.faults.next({ kind: 'hold', endpoint }, 2)
    const authorize = async (main: string) => {
      const { scene, talk, judge } = await setAuthorizeTrial(theatre, main)
      const ended = await start(scene, [process.execPath, main], talk ? { talk } : {}).end
      return judge(ended, { fault: 'delay', struck: 'nowhere', inWindow: false })
    }
    const swept = authorize(await sweptProgram(AUTHORIZE_SWEEP))
    await expect(authorize(WHOLE)).rejects.toThrow(/another page .*Authorization failed/)
    held.release()
    expect(await swept).toBe(false)
  },
)

test('a browser that was sent on and does not get through loads the page that it was sent to', async () => {
  const asked: (string | undefined)[] = []
  const server = createServer((request, response) => {
    asked.push(request.url)
    if (request.url === '/code') return void response.writeHead(303, { location: '/page' }).end()
    if (asked.length === 2) return void response.destroy()
    response.end('the end')
  }).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  expect(await visit(`http://127.0.0.1:${(server.address() as AddressInfo).port}/code`)).toBe('the end')
  expect(asked).toEqual(['/code', '/page', '/page'])
})
