import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createKeychain, type Keychain, type KeychainOptions } from '../../src/store/keychain.ts'
import { NO_SESSION, type Session, startSession } from '../support/keychain.ts'
import { describeIf, NO_SIGNALS, testIf } from '../support/needs.ts'
import { HANGS_MS } from '../support/patience.ts'

const VALUE = Buffer.alloc(32, 7).toString('base64')

function keychainOf(options: Partial<KeychainOptions> = {}): Keychain {
  return createKeychain({
    platform: 'linux',
    environment: {},
    usualBus: null,
    node: process.execPath,
    child: resolve('dist/keychain-child.js'),
    ...options,
  })
}

function inSession(session: Session, limitMs = 5_000): Keychain {
  return keychainOf({ environment: session.environment, limitMs })
}

/** The processes that an access left behind. */
function leftovers(session: Session): string[] {
  const { stdout } = spawnSync('ps', ['eww', '-eo', 'pid,args'], { encoding: 'utf8' })
  return stdout.split('\n').filter((line) => line.includes('keychain-child') && line.includes(session.socket))
}

/** A folder with a stand-in for the built child process. */
async function childThat(code: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'child-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'child.mjs')
  await writeFile(path, code)
  return path
}

describeIf(NO_SESSION)('with gnome-keyring', () => {
  test('an unlocked keychain keeps an entry, gives it back, and removes it', async () => {
    const session = await startSession()
    await session.startKeyring()
    const keychain = inSession(session)
    expect(await keychain.mayExist()).toBe(true)
    expect(await keychain.read('a')).toBeNull()
    await keychain.keep('a', VALUE)
    await keychain.keep('b', VALUE.toLowerCase())
    expect(await keychain.read('a')).toBe(VALUE)
    expect(await keychain.read('b')).toBe(VALUE.toLowerCase())
    await keychain.remove('a')
    expect(await keychain.read('a')).toBeNull()
    expect(leftovers(session)).toEqual([])
  })

  test('a bus that the client did not name is found where it usually is', async () => {
    const session = await startSession()
    await session.startKeyring()
    const { DBUS_SESSION_BUS_ADDRESS: _, ...environment } = session.environment
    const keychain = keychainOf({ environment, usualBus: session.socket })
    await keychain.keep('a', VALUE)
    expect(await keychain.read('a')).toBe(VALUE)
  })

  test('a locked keychain is told from one without the entry', async () => {
    const session = await startSession()
    await session.startKeyring()
    const keychain = inSession(session)
    await keychain.keep('a', VALUE)
    await session.lock()
    await expect(keychain.read('a')).rejects.toMatchObject({
      code: 'key_unavailable',
      message: expect.stringMatching(/locked/),
      nextStep: expect.stringMatching(/Unlock/),
    })
    expect(await keychain.read('never kept')).toBeNull()
  })

  test('a bus without a keychain on it says that there is none', async () => {
    const session = await startSession()
    await expect(inSession(session).keep('a', VALUE)).rejects.toMatchObject({
      code: 'key_unavailable',
      message: expect.stringMatching(/^No keychain can be reached here/),
      nextStep: expect.stringMatching(/DBUS_SESSION_BUS_ADDRESS/),
    })
  })

  test.each(['keyring', 'bus'] as const)(
    'a hung %s is given up in time, and nothing is left of the attempt',
    async (which) => {
      const session = await startSession()
      const hung = which === 'keyring' ? await session.startKeyring() : session.bus
      hung.kill('SIGSTOP')
      const access = inSession(session, 800).read('a')
      await expect(access).rejects.toMatchObject({
        code: 'key_unavailable',
        message: expect.stringMatching(/did not answer/),
      })
      expect(leftovers(session)).toEqual([])
      hung.kill('SIGCONT')
    },
  )

  test('an access whose asker was killed ends by itself', async () => {
    const session = await startSession()
    session.bus.kill('SIGSTOP')
    const question = JSON.stringify({
      action: 'read',
      service: 's',
      account: 'a',
      value: null,
      limitMs: 300,
    })
    const ended = spawnSync(process.execPath, [resolve('dist/keychain-child.js')], {
      env: session.environment,
      input: question,
      timeout: HANGS_MS,
    })
    // By its own hand: spawnSync names an error where its own limit ends the process.
    expect(ended.error).toBeUndefined()
    expect(ended.signal).toBe('SIGKILL')
    session.bus.kill('SIGCONT')
  })
})

test('without a session bus there is plainly no keychain, and no process is started to find out', async () => {
  const nowhere = join(tmpdir(), 'no-such-bus')
  expect(existsSync(nowhere)).toBe(false)
  for (const environment of [{}, { DBUS_SESSION_BUS_ADDRESS: `unix:path=${nowhere},guid=0` }]) {
    const keychain = keychainOf({ environment, usualBus: nowhere, node: '/nonexistent/node' })
    expect(await keychain.mayExist()).toBe(false)
    await expect(keychain.read('a')).rejects.toMatchObject({
      code: 'key_unavailable',
      message: expect.stringMatching(/no session bus/),
    })
  }
})

/** A child process that tells of an error. */
function failing(stage: 'load' | 'open' | 'use', text: string): string {
  return `console.log(${JSON.stringify(JSON.stringify({ kind: 'failure', stage, text }))})`
}

test.each([
  ['prints what is no answer', 'console.log("garbage")', /could not be loaded/],
  ['dies at once', 'process.exit(44)', /could not be loaded/],
  [
    'answers that the native part is not installed',
    failing('load', 'Cannot find module'),
    /@napi-rs\/keyring/,
  ],
  [
    'reads back something else',
    'console.log(JSON.stringify({ kind: "answer", value: null }))',
    /did not keep/,
  ],
  ['finds no default keyring', failing('use', 'Secret Service: no result found'), /no keyring to write to/],
  ['meets an error without a name', failing('use', 'weird\n\u001b[31m'), /failed: weird \[31m;/],
  ['meets an error without an end', failing('use', 'x'.repeat(500)), /failed: x{160};/],
  ['hears no reply', failing('use', 'Did not receive a reply.'), /did not answer in time;/],
  ['waits in vain', failing('open', 'the call timed out'), /did not answer in time;/],
  ['meets a timeout', failing('use', 'Timeout was reached'), /did not answer in time;/],
  ['is sent away', failing('use', 'User canceled the operation'), /is locked/],
  // As it ends on Windows, where nobody learns of a signal.
  [
    'gives up',
    'console.log(JSON.stringify({ kind: "silence" })); process.exitCode = 1',
    new RegExp(`did not answer within ${HANGS_MS / 1000} s;`),
  ],
  ['never answers', 'setInterval(() => {}, 1000)', /did not answer within 0\.3 s;/],
])('a child process that %s makes the key unavailable, never absent', async (_, code, message) => {
  const limitMs = code.startsWith('setInterval') ? 300 : HANGS_MS
  const keychain = keychainOf({ platform: 'darwin', child: await childThat(code), limitMs })
  await expect(keychain.keep('a', VALUE)).rejects.toMatchObject({
    code: 'key_unavailable',
    message: expect.stringMatching(message),
  })
})

testIf(NO_SIGNALS)('a child process that was killed did not answer', async () => {
  const child = await childThat(`process.kill(process.pid, 'SIGKILL')`)
  await expect(keychainOf({ platform: 'darwin', child }).read('a')).rejects.toThrow(
    'did not answer within 20 s',
  )
})

test('a session bus is looked for where its address is one path, and taken to be there elsewhere', async () => {
  const here = tmpdir()
  const nowhere = join(here, 'no-such-bus')
  for (const [address, mayExist] of [
    ['', false],
    [`unix:path=${nowhere}`, false],
    [`unix:path=${here}`, true],
    [`unix:path=${here},guid=0`, true],
    [`unix:path=${nowhere},guid=0;tcp:host=bus.example`, true],
    [`tcp:host=bus.example;unix:path=${nowhere}`, true],
    ['unix:abstract=bus', true],
  ] as const) {
    const keychain = keychainOf({ environment: { DBUS_SESSION_BUS_ADDRESS: address } })
    expect(await keychain.mayExist(), address).toBe(mayExist)
  }
})

test('a child process is given the bus that the client named, else the usual one, and the limit of its system', async () => {
  const child = await childThat(`
    let text = ''
    for await (const chunk of process.stdin) text += chunk
    const value = [JSON.parse(text).limitMs, process.env.DBUS_SESSION_BUS_ADDRESS ?? 'none'].join(' ')
    console.log(JSON.stringify({ kind: 'answer', value }))
  `)
  const here = tmpdir()
  for (const [platform, address, usualBus, told] of [
    ['darwin', undefined, null, '20000 none'],
    ['win32', undefined, join(here, 'no-such-bus'), '5000 none'],
    ['linux', undefined, here, `5000 unix:path=${here}`],
    ['linux', 'tcp:host=bus.example', here, '5000 tcp:host=bus.example'],
  ] as const) {
    const { PATH } = process.env
    const environment = { PATH, ...(address && { DBUS_SESSION_BUS_ADDRESS: address }) }
    expect(await keychainOf({ platform, environment, usualBus, child }).read('a')).toBe(told)
  }
})

test('the value reaches the child process on stdin alone, and what it does not need stays out of its environment', async () => {
  const child = await childThat(`
    let text = ''
    for await (const chunk of process.stdin) text += chunk
    const { value } = JSON.parse(text)
    const seen = [...process.argv, ...Object.keys(process.env), ...Object.values(process.env)]
    const leak = seen.some((one) => one.includes(value) || one === 'NODE_EXTRA_CA_CERTS')
    console.log(JSON.stringify({ kind: 'answer', value: leak ? 'leak' : value }))
  `)
  const environment = {
    PATH: process.env.PATH,
    NODE_EXTRA_CA_CERTS: '/ca.pem',
    NODE_OPTIONS: '--invalid-option',
  }
  await expect(
    keychainOf({ platform: 'darwin', environment, child }).keep('a', VALUE),
  ).resolves.toBeUndefined()
})
