// The operating system's keychain: macOS Keychain, Windows Credential Manager, the Secret Service on Linux. It holds
// nothing but keys of 32 bytes. It may be locked, absent or hung, and none of that means that no one is logged in.

import { existsSync } from 'node:fs'
import { CodedError, THEN_TRY_AGAIN } from '../errors.ts'
import type { System } from '../machine/system.ts'
import { type Sentence, say, type Value } from '../sentence.ts'

/** What the child process is asked. */
export type KeychainQuestion = {
  action: 'read' | 'keep' | 'remove'
  service: string
  account: string
  value: string | null
  limitMs: number
}

/** What it answers: the entry's value after the action, or where it failed and the keychain's own words. */
export type KeychainAnswer =
  | { kind: 'answer'; value: string | null }
  | { kind: 'failure'; stage: 'load' | 'open' | 'use'; text: string }
  | { kind: 'silence' }

export type Keychain = {
  /** Whether asking it makes sense; starts nothing. */
  mayExist(): Promise<boolean>
  /** The entry of that name; null: the keychain answered, and there is none. Throws `key_unavailable`. */
  read(name: string): Promise<string | null>
  /** Writes an entry and reads it back. Throws `key_unavailable`. */
  keep(name: string, value: string): Promise<void>
  /** Throws `key_unavailable`. */
  remove(name: string): Promise<void>
}

/** `environment`: for the child process, without secrets, and with what leads to the desktop session. */
export type KeychainOptions = System & {
  /** Where the session bus usually is; some clients pass no DBUS_SESSION_BUS_ADDRESS. Null: not on this platform. */
  usualBus: string | null
  /** Node, and the built form of keychain-child.ts. */
  node: string
  child: string
  limitMs?: number
}

const SERVICE = 'feishu-token-mcp'
/** A keychain answers within milliseconds; a person who is asked to unlock it can do so and try again. */
const LIMIT_MS = 5_000
/** macOS asks the person for each new Node, and what ended meanwhile gets no answer. Below the bound of any call, 30 s. */
const MACOS_LIMIT_MS = 20_000
/** Starting Node on a busy machine must not be taken for a slow keychain. */
const START_MS = 2_000
/** An answer is a key of 44 characters or one sentence. */
const MAX_ANSWER_BYTES = 65_536
/** The keychain's own words are shown up to here. */
const MAX_TEXT_CHARACTERS = 160
/** They slow the child process down or change it, and it opens no connection. */
const UNNEEDED = ['NODE_OPTIONS', 'NODE_EXTRA_CA_CERTS']

/** Opens nothing: each access starts a process that ends after one answer, or in time. */
export function createKeychain(options: KeychainOptions): Keychain {
  const environment = { ...options.environment }
  for (const name of UNNEEDED) delete environment[name]
  const bus = environment.DBUS_SESSION_BUS_ADDRESS
  if (!bus && options.usualBus && existsSync(options.usualBus)) {
    environment.DBUS_SESSION_BUS_ADDRESS = `unix:path=${options.usualBus}`
  }

  async function ask(action: KeychainQuestion['action'], account: string, value: string | null) {
    if (!(await mayExist())) throw absent(say`there is no session bus (DBUS_SESSION_BUS_ADDRESS)`)
    const limitMs = options.limitMs ?? (options.platform === 'darwin' ? MACOS_LIMIT_MS : LIMIT_MS)
    const question = { action, service: SERVICE, account, value, limitMs }
    const answer = await askChild({ ...options, environment }, question)
    if (answer.kind === 'silence') throw slow(limitMs)
    if (answer.kind === 'failure') throw explain(answer)
    return answer.value
  }

  async function mayExist(): Promise<boolean> {
    if (options.platform !== 'linux') return true
    const address = environment.DBUS_SESSION_BUS_ADDRESS
    const socket = /^unix:path=([^,;]+)(,[^;]*)?$/.exec(address ?? '')?.[1]
    return socket === undefined ? Boolean(address) : existsSync(socket)
  }

  return {
    mayExist,
    read: (name) => ask('read', name, null),
    async keep(name, value) {
      if ((await ask('keep', name, value)) !== value) throw failed(say`it did not keep what was written`)
    },
    async remove(name) {
      if ((await ask('remove', name, null)) !== null) throw failed(say`it did not remove the entry`)
    },
  }
}

async function askChild(options: KeychainOptions, question: KeychainQuestion): Promise<KeychainAnswer> {
  const { execFile } = await import('node:child_process')
  return new Promise((resolve) => {
    const limits = {
      timeout: question.limitMs + START_MS,
      killSignal: 'SIGKILL',
      maxBuffer: MAX_ANSWER_BYTES,
    } as const
    const child = execFile(
      options.node,
      [options.child],
      { ...limits, env: options.environment, windowsHide: true },
      (error, stdout) => {
        const silent = error?.killed || error?.signal === 'SIGKILL'
        const none: KeychainAnswer = { kind: 'failure', stage: 'load', text: 'no answer from its process' }
        resolve(parseAnswer(stdout) ?? (silent ? { kind: 'silence' } : none))
      },
    )
    // A child that could not be started is told of above.
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(JSON.stringify(question))
  })
}

function parseAnswer(text: string): KeychainAnswer | null {
  try {
    return JSON.parse(text) as KeychainAnswer
  } catch {
    return null
  }
}

const SILENT = /did not receive a reply|timed? ?out/i
const NO_KEYRING = /no result found/i
const LOCKED = /locked|unlock|dismissed|interaction|not allowed|denied|cancell?ed/i

function explain({ stage, text }: Extract<KeychainAnswer, { kind: 'failure' }>): CodedError {
  const said = text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, MAX_TEXT_CHARACTERS)
  if (stage === 'load') return absent(say`its native part (@napi-rs/keyring) could not be loaded`)
  if (SILENT.test(text)) return slow(null)
  if (stage === 'open') return absent(said)
  if (NO_KEYRING.test(text)) return absent(say`it has no keyring to write to yet`)
  return LOCKED.test(text) ? locked() : failed(said)
}

function unavailable(message: Sentence, nextStep: Sentence): CodedError {
  return new CodedError('key_unavailable', say`${message}; nothing was changed.`, { nextStep })
}

function locked(): CodedError {
  return unavailable(
    say`The keychain is locked, and was not unlocked`,
    say`Unlock the keychain (its prompt, or its program: Keychain Access, Passwords and Keys)${THEN_TRY_AGAIN}.`,
  )
}

function absent(why: Value): CodedError {
  return unavailable(
    say`No keychain can be reached here: ${why}`,
    say`Start feishu-token-mcp within the login session that has the keychain, with DBUS_SESSION_BUS_ADDRESS on Linux (for Codex add it to env_vars), then try again; a new store can do without: FEISHU_TOKEN_KEY_SOURCE=file.`,
  )
}

function slow(limitMs: number | null): CodedError {
  const howLong = limitMs === null ? say`in time` : say`within ${limitMs / 1000} s`
  return unavailable(
    say`The keychain did not answer ${howLong}`,
    say`Check whether it waits to be unlocked, or for your permission (on macOS: Always Allow); otherwise restart it (on Linux often gnome-keyring-daemon)${THEN_TRY_AGAIN}.`,
  )
}

function failed(why: Value): CodedError {
  return unavailable(
    say`The keychain failed: ${why}`,
    say`Check the keychain in its own program${THEN_TRY_AGAIN}.`,
  )
}
