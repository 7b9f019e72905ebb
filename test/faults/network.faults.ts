// Networks that are not there, hosts that do not answer, certificates that are not good: told in time, with nothing spent.

import { spawn, spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { certificateProblem, certify, startImpostor } from './impostor.ts'
import { refreshing, serve, start } from './process.ts'
import { openTheatre, presentationsOf, type Scene, setScene, type Theatre } from './scene.ts'
import { WHOLE } from './variant.ts'

const isolated = spawnSync('unshare', ['-n', 'true']).status === 0
if (!isolated)
  console.warn('SKIPPED: machines without a network, silent name servers. unshare needs root on Linux')

let theatre: Theatre
beforeAll(async () => {
  theatre = await openTheatre()
})
afterAll(() => theatre.close())

/** What a forced refresh answers. */
async function refreshIn(scene: Scene, around: string[] = []) {
  const ended = await start(scene, [...around, ...refreshing(WHOLE, '--force')]).end
  return { code: ended.code, answer: JSON.parse(ended.stdout) }
}

const LISTEN =
  "require('net').createServer().listen(0, '127.0.0.1', 1, function () { console.log(this.address().port) })"

/** A host that drops what is sent to it, as a firewall does: its queue is full and nobody empties it. */
async function startSilentHost(): Promise<string> {
  const child = spawn(process.execPath, ['-e', LISTEN])
  const [line] = await once(child.stdout, 'data')
  child.kill('SIGSTOP')
  const port = Number(line)
  // As many as it takes in, and some more.
  const sockets = Array.from({ length: 5 }, () => connect(port, '127.0.0.1').on('error', () => undefined))
  await once(sockets[0] as Socket, 'connect')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    child.kill('SIGKILL')
  })
  return `http://127.0.0.1:${port}`
}

describe.concurrent('a call ends in time', () => {
  test('at a host behind a firewall that drops everything, with nothing spent', async () => {
    const scene = await setScene(theatre, { FEISHU_OPEN_URL: await startSilentHost() })
    const { answer } = await refreshIn(scene)
    expect(answer.error).toMatchObject({ code: 'network_error', recovery: 'retry' })
    expect(answer.error.message).toContain('did not answer within')
    // Nothing was sent, so nothing is to be made up for.
    expect(await (await scene.open()).store.readJournal(scene.id)).toBeNull()
    scene.close()
  })

  test.skipIf(!isolated)('with a name server that never answers, with nothing spent', async () => {
    const silent = createSocket('udp4')
    silent.bind(53, '127.0.0.77')
    await once(silent, 'listening')
    const scene = await setScene(theatre, { FEISHU_OPEN_URL: 'https://open.feishu.cn' })
    const resolver = join(scene.home, 'resolv.conf')
    writeFileSync(resolver, 'nameserver 127.0.0.77\n')
    const around = [
      'unshare',
      '-m',
      'sh',
      '-c',
      `mount --bind '${resolver}' /etc/resolv.conf; exec "$@"`,
      'sh',
    ]
    const { answer } = await refreshIn(scene, around)
    expect(answer.error).toMatchObject({ code: 'network_error', recovery: 'retry' })
    expect(presentationsOf(scene)).toBe(0)
    silent.close()
    scene.close()
  })

  test('after a lock that was long held, at a Feishu that says nothing; token_status meanwhile', async () => {
    const own = await openTheatre()
    const scene = await setScene(own)
    const held = own.sandbox.faults.next({ kind: 'hold' })
    own.sandbox.faults.next({ kind: 'silence' })
    own.sandbox.faults.next({ kind: 'silence' })
    const holder = start(scene, refreshing(WHOLE, '--force'))
    await held.reached
    holder.kill('SIGSTOP')
    const server = serve(scene, WHOLE)
    await server.call('token_status')
    const next = refreshIn(scene)
    // Nearly as long as anybody waits for the lock.
    await new Promise((resume) => setTimeout(resume, 8_000))
    expect((await server.call('token_status')).structuredContent?.status).toBe('valid')
    holder.kill('SIGKILL')
    const { answer } = await next
    expect(answer.error).toMatchObject({
      code: expect.stringMatching(/^(network_error|refresh_uncertain)$/),
    })
    expect(presentationsOf(scene)).toBe(2)
    await server.close()
    await own.close()
  })
})

describe.skipIf(!isolated)('without a network', () => {
  test.each([
    [
      'a name cannot be resolved',
      { FEISHU_OPEN_URL: 'https://open.feishu.cn' },
      /open\.feishu\.cn.*(EAI_AGAIN|ENOTFOUND)/,
    ],
    ['the host cannot be reached', {}, /127\.0\.0\.1.*(ENETUNREACH|EHOSTUNREACH|ECONNREFUSED)/],
  ])('%s: it says so, and spends nothing', async (_name, settings, cause) => {
    const scene = await setScene(theatre, settings)
    const { code, answer } = await refreshIn(scene, ['unshare', '-n'])
    expect(code).toBe(1)
    expect(answer.error).toMatchObject({
      code: 'network_error',
      recovery: 'retry',
      message: expect.stringMatching(cause),
    })
    expect(presentationsOf(scene)).toBe(0)
    const back = { ...scene, env: { ...scene.env, FEISHU_OPEN_URL: theatre.sandbox.url } }
    expect((await refreshIn(back)).code).toBe(0)
    scene.close()
  })
})

const untrusted = certificateProblem()
if (untrusted) console.warn(`SKIPPED: certificates that are not good. ${untrusted}`)

test.skipIf(untrusted).each([
  ['of another host', 'elsewhere.example', '+0', 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['that has expired', 'localhost', '-30d', 'CERT_HAS_EXPIRED'],
  ['that is not valid yet', 'localhost', '+30d', 'CERT_NOT_YET_VALID'],
])(
  'a certificate %s is refused at once, by name, and nothing is sent',
  async (_what, name, madeAt, errno) => {
    const scene = await setScene(theatre)
    const certificate = certify(scene.home, name, madeAt)
    const impostor = await startImpostor(certificate)
    const env = { ...scene.env, FEISHU_OPEN_URL: impostor.url, NODE_EXTRA_CA_CERTS: certificate.path }
    const { answer } = await refreshIn({ ...scene, env })
    expect(answer.error).toMatchObject({ code: 'tls_error', recovery: 'fix_config' })
    expect(answer.error.message).toContain(errno)
    expect(answer.error.next_step).toContain('NODE_EXTRA_CA_CERTS')
    expect(impostor.seen).toEqual({ connections: 1, requests: 0 })
    impostor.close()
    scene.close()
  },
)
