import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createKeychain, type Keychain, type KeychainOptions } from '../../src/store/keychain.ts'
import { NO_SESSION, type Session, startSession } from '../support/keychain.ts'
import { describeIf } from '../support/needs.ts'
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

test.each([
  ['prints what is no answer', 'console.log("garbage")', /could not be loaded/],
  ['dies at once', 'process.exit(44)', /could not be loaded/],
  [
    'answers that the native part is not installed',
    'console.log(JSON.stringify({ kind: "failure", stage: "load", text: "Cannot find module" }))',
    /@napi-rs\/keyring/,
  ],
  [
    'reads back something else',
    'console.log(JSON.stringify({ kind: "answer", value: null }))',
    /did not keep/,
  ],
  [
    'finds no default keyring',
    'console.log(JSON.stringify({ kind: "failure", stage: "use", text: "Secret Service: no result found" }))',
    /no keyring to write to/,
  ],
  [
    'meets an error without a name',
    'console.log(JSON.stringify({ kind: "failure", stage: "use", text: "weird\\n\\u001b[31m" }))',
    /failed: weird \[31m;/,
  ],
  // As it ends on Windows, where nobody learns of a signal.
  [
    'gives up',
    'console.log(JSON.stringify({ kind: "silence" })); process.exitCode = 1',
    /did not answer within/,
  ],
  ['never answers', 'setInterval(() => {}, 1000)', /did not answer within/],
])('a child process that %s makes the key unavailable, never absent', async (_, code, message) => {
  const limitMs = code.startsWith('setInterval') ? 300 : HANGS_MS
  const keychain = keychainOf({ platform: 'darwin', child: await childThat(code), limitMs })
  await expect(keychain.keep('a', VALUE)).rejects.toMatchObject({
    code: 'key_unavailable',
    message: expect.stringMatching(message),
  })
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
