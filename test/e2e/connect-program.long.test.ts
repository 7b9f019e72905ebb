// A program behind `connect` ends with us, however it resists.

import { expect, test, vi } from 'vitest'
import {
  callOther,
  connectStage,
  isRunning,
  otherServer,
  startConnect,
  startListed,
} from '../support/connect.ts'
import { HANGS_MS } from '../support/patience.ts'

test('one that takes no end of its input and no signal ends with us, too', async () => {
  const stage = await connectStage()
  const server = await startListed(stage, otherServer('--stubborn'))
  const { pid } = JSON.parse((await callOther(server, 'environment')).text)
  expect(await server.close()).toEqual({ code: 0, signal: null })
  expect(isRunning(pid)).toBe(false)
})

test('one that never answers ends with us, too', async () => {
  const stage = await connectStage()
  const mute = "process.stderr.write('mute: ' + process.pid + '\\n'); setInterval(() => {}, 1000)"
  const server = await startConnect(stage, ['--', process.execPath, '-e', mute])
  await server.client.listTools()
  const words = await vi.waitUntil(() => /mute: (\d+)\n/.exec(server.transport.stderr), {
    timeout: HANGS_MS / 2,
  })
  const pid = Number(words[1])
  expect(await server.close()).toEqual({ code: 0, signal: null })
  expect(isRunning(pid)).toBe(false)
})
