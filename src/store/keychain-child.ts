// One access to the keychain, in a process of its own. A keychain that hangs, hangs inside native code: there no timer
// runs and no exit gets through, for ever if the bus itself hangs. So the native code has a thread here, and the main
// thread ends the whole process in time, even when whoever asked is gone.

import { writeSync } from 'node:fs'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { KeychainAnswer, KeychainQuestion } from './keychain.ts'

/** On Linux the kernel's keyring would be taken where there is no secret service; a reboot empties it. */
const OPTIONS = { linux: { store: 'secret-service' } } as const

async function ask({ action, service, account, value }: KeychainQuestion): Promise<KeychainAnswer> {
  let stage: 'load' | 'open' | 'use' = 'load'
  try {
    const { Entry } = await import('@napi-rs/keyring')
    stage = 'open'
    const entry = new Entry(service, account, OPTIONS)
    stage = 'use'
    if (action === 'keep') entry.setPassword(value ?? '')
    if (action === 'remove') entry.deletePassword()
    // After a change too: some keychains take a write and keep nothing.
    return { kind: 'answer', value: entry.getPassword() ?? null }
  } catch (error) {
    return { kind: 'failure', stage, text: error instanceof Error ? error.message : String(error) }
  }
}

async function readQuestion(): Promise<KeychainQuestion> {
  let text = ''
  for await (const chunk of process.stdin) text += String(chunk)
  return JSON.parse(text) as KeychainQuestion
}

async function main(): Promise<void> {
  if (!isMainThread) {
    parentPort?.postMessage(await ask(workerData as KeychainQuestion))
    return
  }
  const question = await readQuestion()
  setTimeout(() => {
    // Told before the end: by its signal alone Windows tells no one who was killed from one who failed.
    writeSync(1, JSON.stringify({ kind: 'silence' } satisfies KeychainAnswer))
    process.kill(process.pid, 'SIGKILL')
  }, question.limitMs)
  new Worker(new URL(import.meta.url), { workerData: question }).once('message', (answer: KeychainAnswer) => {
    process.stdout.write(JSON.stringify(answer), () => process.exit(0))
  })
}

void main()
