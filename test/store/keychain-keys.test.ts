import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { say } from '../../src/sentence.ts'
import type { KeySource } from '../../src/store/envelope.ts'
import { createKeys, type Keys } from '../../src/store/key.ts'
import type { Keychain } from '../../src/store/keychain.ts'

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'keys-'))
})
afterEach(async () => {
  vi.useRealTimers()
  await rm(home, { recursive: true, force: true })
})

/** A keychain in memory that counts what it is asked, and refuses everything while it is locked. */
class MemoryKeychain implements Keychain {
  readonly entries = new Map<string, string>()
  exists = true
  locked = false
  questions = 0

  async mayExist(): Promise<boolean> {
    return this.exists
  }

  #ask(): void {
    this.questions += 1
    if (this.locked)
      throw new CodedError('key_unavailable', say`The keychain is locked.`, { nextStep: say`Unlock it.` })
  }

  async read(name: string): Promise<string | null> {
    this.#ask()
    return this.entries.get(name) ?? null
  }

  async keep(name: string, value: string): Promise<void> {
    this.#ask()
    this.entries.set(name, value)
  }

  async remove(name: string): Promise<void> {
    this.#ask()
    this.entries.delete(name)
  }
}

function keysWith(keychain: Keychain, source: 'auto' | KeySource = 'auto'): Keys {
  return createKeys({ directory: join(home, 'key'), source, environmentKey: null, keychain })
}

test('auto takes a keychain that works, and gives a second file the same key', async () => {
  const keychain = new MemoryKeychain()
  const keys = keysWith(keychain)
  const key = await keys.first()
  expect(key.source).toBe('keychain')
  expect([...keychain.entries]).toEqual([[key.id, key.bytes.toString('base64')]])
  expect(await keys.first()).toEqual(key)
  expect(await keysWith(keychain).find({ key_source: 'keychain', key_id: key.id })).toEqual(key)
  expect(existsSync(join(home, 'key'))).toBe(false)
})

test('auto takes a key file where the keychain refuses, and asks nothing where there is plainly none', async () => {
  const locked = Object.assign(new MemoryKeychain(), { locked: true })
  expect((await keysWith(locked).first()).source).toBe('file')
  const absent = Object.assign(new MemoryKeychain(), { exists: false })
  expect((await keysWith(absent).first()).source).toBe('file')
  expect(absent.questions).toBe(0)
})

test('keychain alone never falls back to a file', async () => {
  const locked = Object.assign(new MemoryKeychain(), { locked: true })
  await expect(keysWith(locked, 'keychain').first()).rejects.toMatchObject({ code: 'key_unavailable' })
  await expect(
    createKeys({ directory: join(home, 'key'), source: 'keychain', environmentKey: null }).first(),
  ).rejects.toMatchObject({ code: 'key_unavailable' })
  expect(existsSync(join(home, 'key'))).toBe(false)
})

test('a key that is read is remembered; a refusal only for a moment', async () => {
  vi.useFakeTimers()
  const keychain = new MemoryKeychain()
  const { id } = await keysWith(keychain).first()
  const named = { key_source: 'keychain', key_id: id } as const
  const keys = keysWith(keychain)
  keychain.locked = true
  keychain.questions = 0
  const both = await Promise.allSettled([keys.find(named), keys.find(named)])
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(keys.find(named)).rejects.toThrow(/locked/)
  expect(keychain.questions).toBe(1)

  keychain.locked = false
  vi.advanceTimersByTime(5_000)
  expect((await keys.find(named)).id).toBe(id)
  keychain.locked = true
  vi.advanceTimersByTime(5_000)
  expect((await keys.find(named)).id).toBe(id)
  expect(keychain.questions).toBe(2)
})

test('an entry that is missing is missed only for a moment', async () => {
  vi.useFakeTimers()
  const keychain = new MemoryKeychain()
  const { id, bytes } = await keysWith(keychain).first()
  const named = { key_source: 'keychain', key_id: id } as const
  const keys = keysWith(keychain)
  keychain.entries.clear()
  await expect(keys.find(named)).rejects.toThrow(/is missing/)
  keychain.entries.set(id, bytes.toString('base64'))
  await expect(keys.find(named)).rejects.toThrow(/is missing/)
  vi.advanceTimersByTime(5_000)
  expect((await keys.find(named)).id).toBe(id)
})

test('a key is discarded from the source that is named, and a keychain never stands in for the environment', async () => {
  const keychain = new MemoryKeychain()
  const keys = keysWith(keychain)
  const { id } = await keys.first()
  expect(await keys.discard({ key_source: 'file', key_id: id })).toBe(true)
  expect([...keychain.entries.keys()]).toEqual([id])
  expect(await keys.discard({ key_source: 'keychain', key_id: id })).toBe(true)
  expect(keychain.entries.size).toBe(0)
  await expect(keysWith(keychain).obtain('env')).rejects.toThrow(/FEISHU_TOKEN_KEY, which is not set/)
  expect(keychain.entries.size).toBe(0)
})

test('a key that is gone has a successor; one that is only out of reach has none', async () => {
  const keychain = new MemoryKeychain()
  const { id } = await keysWith(keychain).first()
  const named = { key_source: 'keychain', key_id: id } as const
  expect((await keysWith(keychain).successor(named)).id).toBe(id)

  keychain.locked = true
  await expect(keysWith(keychain).successor(named)).rejects.toThrow(/locked/)
  expect(keychain.entries.size).toBe(1)

  keychain.locked = false
  keychain.entries.clear()
  await expect(keysWith(keychain).find(named)).rejects.toMatchObject({
    code: 'key_unavailable',
    message: expect.stringMatching(/entry feishu-token-mcp [0-9a-f]{16} is missing/),
  })
  const successor = await keysWith(keychain).successor(named)
  expect(successor.id).not.toBe(id)
  expect(keychain.entries.has(successor.id)).toBe(true)
})

test('an entry that holds another key is not taken', async () => {
  const keychain = new MemoryKeychain()
  const { id } = await keysWith(keychain).first()
  keychain.entries.set(id, Buffer.alloc(32, 1).toString('base64'))
  const find = keysWith(keychain).find({ key_source: 'keychain', key_id: id })
  await expect(find).rejects.toThrow(/is not the one that the store was sealed with/)
})
