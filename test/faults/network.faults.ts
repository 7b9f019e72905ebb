// Networks that are not there: names that cannot be resolved, hosts that cannot be reached or do not answer.

import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refreshing, start } from './process.ts'
import { openTheatre, presentationsOf, setScene, type Theatre } from './scene.ts'
import { buildVariant } from './variant.ts'

const isolated = spawnSync('unshare', ['-n', 'true']).status === 0
if (!isolated) console.warn('SKIPPED: a machine without a network. unshare -n needs root on Linux')

let theatre: Theatre
let main: string
beforeAll(async () => {
  theatre = await openTheatre()
  main = await buildVariant('whole')
})
afterAll(() => theatre.close())

const LISTEN =
  "require('net').createServer().listen(0, '127.0.0.1', 1, function () { console.log(this.address().port) })"

/** A host that drops what is sent to it, as a firewall does: its queue is full and nobody empties it. */
async function startSilentHost(): Promise<{ url: string; close: () => void }> {
  const child = spawn(process.execPath, ['-e', LISTEN])
  const [line] = await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  const port = Number(line)
  // As many as it takes in, and some more.
  const sockets = Array.from({ length: 5 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  await once(sockets[0] as Socket, 'connect')
  const close = () => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
  }
  return { url: `http://127.0.0.1:${port}`, close }
}

test('a host behind a firewall that drops everything is given up in time, with nothing spent', async () => {
  const silent = await startSilentHost()
  const scene = await setScene(theatre, { FEISHU_OPEN_URL: silent.url })
  const startedAt = performance.now()
  const { stdout } = await start(scene, refreshing(main, '--force')).end
  expect(performance.now() - startedAt).toBeLessThan(27_000)
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'network_error', recovery: 'retry' })
  expect(JSON.parse(stdout).error.message).toContain('did not answer within')
  // Nothing was sent, so nothing is to be made up for.
  expect(await scene.open().store.readJournal(scene.id)).toBeNull()
  silent.close()
  scene.close()
})

describe.skipIf(!isolated)('without a network', () => {
  test.each([
    [
      'a name cannot be resolved',
      { FEISHU_OPEN_URL: 'https://open.feishu.cn' },
      /open\.feishu\.cn.*(EAI_AGAIN|ENOTFOUND)/,
    ],
    ['the host cannot be reached', {}, /127\.0\.0\.1.*(ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)/],
  ])('%s: it says so in time, and spends nothing', async (_name, settings, cause) => {
    const scene = await setScene(theatre, settings)
    const startedAt = performance.now()
    const ended = await start(scene, ['unshare', '-n', ...refreshing(main, '--force')]).end
    expect(performance.now() - startedAt).toBeLessThan(15_000)
    expect(ended.code).toBe(1)
    expect(JSON.parse(ended.stdout).error).toMatchObject({
      code: 'network_error',
      recovery: 'retry',
      message: expect.stringMatching(cause),
    })
    expect(presentationsOf(scene)).toBe(0)
    const { FEISHU_OPEN_URL: _, ...env } = scene.env
    expect(
      (
        await start(
          { ...scene, env: { ...env, FEISHU_OPEN_URL: theatre.sandbox.url } },
          refreshing(main, '--force'),
        ).end
      ).code,
    ).toBe(0)
    scene.close()
  })
})
