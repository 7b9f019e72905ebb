import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { callbackPort, readCallbackTls } from '../../src/authorize/callback.ts'
import type { Deps } from '../../src/deps.ts'
import { Secret } from '../../src/secret.ts'
import { acquireLock } from '../../src/store/lock.ts'
import { NO_OPENSSL, selfSigned } from '../loopback/certificate.ts'
import type { World } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'
import { begin, makeWorld, start, startProcess, visit } from './fixture.ts'

const NO_PROC = process.platform === 'linux' ? null : 'Linux alone tells which process holds a port'

/** Someone else listens on the callback port, until it is told to leave. */
async function occupy(world: World): Promise<() => Promise<void>> {
  const port = Number(new URL(world.deps.config.redirectUri).port)
  const server = createServer().listen({ port, host: '127.0.0.1' })
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return async () => {
    server.close()
    await once(server, 'close')
  }
}

test('a port on which another profile waits is told with that profile, and looking frees nothing', async () => {
  const world = await makeWorld()
  expect(await callbackPort(world.deps)).toEqual({ kind: 'free' })
  await begin(world.deps)
  const { key, id } = await resolveApp(world.deps, 'default')
  const who = `process ${process.pid}, which waits for the approval of profile "default" (app ${id.appId})`
  const other = await startProcess(world)
  expect(await failureOf(() => start(other, { profile: 'work' }))).toMatchObject({
    code: 'callback_port_in_use',
    message: expect.stringContaining(`It is held by ${who}.`),
    nextStep: expect.stringContaining('Finish the authorization of profile "default" first'),
    cause: { code: 'EADDRINUSE' },
  })
  for (const _again of [1, 2]) {
    expect(await callbackPort(other)).toMatchObject({
      kind: 'waiting',
      owner: { account: key, profile: 'default', appId: id.appId, pid: process.pid },
      error: { code: 'callback_port_in_use', message: expect.stringContaining(who) },
    })
  }
  await start(world.deps, { cancel: true })
  expect(await callbackPort(other)).toEqual({ kind: 'free' })
})

test('where the same profile has another app, no cancel from here is advised that would find nothing', async () => {
  const world = await makeWorld()
  await begin(world.deps)
  const other = await startProcess(world)
  const app = { appId: 'cli_another', secret: new Secret('canary-secret') }
  const elsewhere = { ...other, config: { ...other.config, app } }
  const { nextStep } = await failureOf(() => start(elsewhere))
  expect(nextStep).toMatch(
    /^Finish or cancel that authorization where it was begun, .* call start_authorization again/,
  )
})

test('a port that another program holds is told with that program', async (context) => {
  if (NO_PROC) context.skip(NO_PROC)
  const world = await makeWorld()
  const leave = await occupy(world)
  const message = expect.stringMatching(new RegExp(` It is held by process ${process.pid} \\([^)]+\\)\\.$`))
  const error = { code: 'callback_port_in_use', message, cause: { code: 'EADDRINUSE' } }
  expect(await failureOf(() => begin(world.deps))).toMatchObject(error)
  expect(await callbackPort(world.deps)).toMatchObject({ kind: 'taken', error })
  await leave()
  await begin(world.deps)
  expect(await callbackPort(await startProcess(world))).toMatchObject({ kind: 'waiting' })
})

test('who has left no name there is not named, and keeps nobody from waiting', async () => {
  const world = await makeWorld()
  const port = new URL(world.deps.config.redirectUri).port
  mkdirSync(world.directory, { mode: 0o700 })
  const held = await acquireLock(join(world.directory, `callback-${port}.lock`), 0, () => 0)
  await begin(world.deps)
  expect(await callbackPort(await startProcess(world))).toMatchObject({ kind: 'taken' })
  if (held?.kind === 'held') held.release()
})

test('an error that is none of the port is told as it is', async () => {
  const world = await makeWorld()
  const config = { ...world.deps.config, tlsFiles: { cert: '/nowhere/c.pem', key: '/nowhere/k.pem' } }
  await begin(world.deps)
  const deps: Deps = { ...(await startProcess(world)), config }
  expect(await failureOf(() => start(deps, { profile: 'work' }))).toMatchObject({
    code: 'config_invalid',
    message: 'FEISHU_TLS_CERT_FILE (/nowhere/c.pem) cannot be read (ENOENT).',
    nextStep: 'Set FEISHU_TLS_CERT_FILE to a file in PEM form that this program can read.',
    cause: { code: 'ENOENT' },
  })
  const port = Number(new URL(config.redirectUri).port)
  // The listener opens on loopback only.
  const nowhere = { ...world.deps.config, callbackListen: { host: '192.0.2.1', port } }
  const error = await failureOf(() => start({ ...deps, config: nowhere }, { profile: 'work' }))
  expect(error.code).not.toBe('callback_port_in_use')
  expect(error.message).not.toContain('It is held by')
})

test('where the listener has an address of its own, its port counts', async () => {
  const world = await makeWorld()
  const port = Number(new URL(world.deps.config.redirectUri).port)
  const config = {
    ...world.deps.config,
    redirectUri: 'https://login.example.com/callback',
    callbackListen: { host: '127.0.0.1', port },
  }
  const deps = { ...world.deps, config }
  expect(await callbackPort(deps)).toEqual({ kind: 'free' })
  await begin(deps)
  expect(await callbackPort(deps)).toMatchObject({ kind: 'waiting', owner: { profile: 'default' } })
  expect((await visit(`http://127.0.0.1:${port}/callback`)).html).toContain('not a login page')
  await start(deps, { cancel: true })
})

test('the certificate and its key are read for the host of the redirect, or for any behind a proxy', async (context) => {
  const tls = selfSigned({ names: 'DNS:localhost' }) ?? context.skip(NO_OPENSSL)
  const folder = makeFolder()
  const tlsFiles = { cert: join(folder, 'cert.pem'), key: join(folder, 'key.pem') }
  writeFileSync(tlsFiles.cert, tls.cert)
  writeFileSync(tlsFiles.key, tls.key)
  const world = await makeWorld()
  const { config } = world.deps
  expect(readCallbackTls(config, Date.now())).toBeNull()
  const read = readCallbackTls({ ...config, tlsFiles }, Date.now())
  expect([String(read?.cert), String(read?.key)]).toEqual([String(tls.cert), String(tls.key)])
  expect(read?.endsAt).toBeGreaterThan(Date.now())
  const redirectUri = 'https://login.example.com/callback'
  const elsewhere = { ...config, tlsFiles, redirectUri }
  expect(await failureOf(async () => readCallbackTls(elsewhere, Date.now()))).toMatchObject({
    message: expect.stringContaining('not for login.example.com'),
  })
  const listening = { ...elsewhere, callbackListen: { host: '127.0.0.1', port: 9 } }
  expect(readCallbackTls(listening, Date.now())?.endsAt).toBe(read?.endsAt)
})
