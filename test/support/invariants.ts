// What holds after every test, however it went: who presented which token how often, and what lies on disk.

import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Presentation } from '../feishu-sandbox/ledger.ts'
import { holdsAny } from './canary.ts'

/** Feishu's word that a refresh token is of no use any more: it is never presented again. */
const DEFINITIVE = [20026, 20037, 20064, 20073]
/** The contract's bound on presentations of one refresh token with an unknown outcome. */
const MAX_AMBIGUOUS = 2
/** Faults after which Feishu's answer is nowhere to be seen. */
const LOSSES = ['reset', 'cut', 'silence', 'drip', 'bulk', 'raw', 'lost']

function broken(what: string): never {
  throw new Error(`invariant: ${what}`)
}

/** Presentations of refresh tokens, by token. */
export function presentationsByToken(ledger: readonly Presentation[]): Map<string, Presentation[]> {
  const byToken = new Map<string, Presentation[]>()
  for (const entry of ledger) {
    if (entry.kind !== 'refresh_token') continue
    byToken.set(entry.fingerprint, [...(byToken.get(entry.fingerprint) ?? []), entry])
  }
  return byToken
}

/** No token is presented after Feishu's last word on it, nor more than twice with an unknown outcome. */
export function checkLedger(ledger: readonly Presentation[]): void {
  for (const [token, entries] of presentationsByToken(ledger)) {
    // An answer that was held back was given after whatever was presented meanwhile; one that was replaced, never.
    const last = entries.findIndex(
      ({ answered, code, fault }) =>
        answered && !['hold', 'answer'].includes(fault ?? '') && DEFINITIVE.includes(code ?? 0),
    )
    if (last !== -1 && last < entries.length - 1)
      broken(`token ${token.slice(0, 8)} was presented after it was refused`)
    const lost = entries.filter((entry) => LOSSES.includes(entry.fault ?? '') || !entry.answered)
    if (lost.length > MAX_AMBIGUOUS) broken(`token ${token.slice(0, 8)} was lost ${lost.length} times`)
  }
}

function walk(path: string): string[] {
  if (!existsSync(path)) return []
  return readdirSync(path, { withFileTypes: true }).flatMap((entry) => {
    const child = join(path, entry.name)
    return entry.isDirectory() ? [child, ...walk(child)] : [child]
  })
}

/** Files are their owner's alone, and none holds a secret in a form that somebody would find. */
export function checkFiles(directory: string, secrets: readonly string[]): void {
  for (const path of walk(directory)) {
    const stat = lstatSync(path)
    // Windows has no modes.
    if (process.platform !== 'win32' && stat.mode & 0o077)
      broken(`${path} has mode ${(stat.mode & 0o777).toString(8)}`)
    if (stat.isFile()) checkText(path, readFileSync(path, 'latin1'), secrets)
  }
}

/** Nothing written by a process that died is left. Holds from the next use of the store on. */
export function checkNoLeftovers(directory: string): void {
  const left = walk(directory).filter((path) => /\.(tmp|next)$/.test(path))
  if (left.length > 0) broken(`left behind: ${left.join(' ')}`)
}

/** No process that works on a directory has outlived its test. Linux tells; elsewhere nothing is looked at. */
export function checkNoProcess(directory: string): void {
  if (!existsSync('/proc/self/environ')) return
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    if (environmentOf(pid).includes(directory)) broken(`process ${pid} still works on ${directory}`)
  }
}

function environmentOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1')
  } catch {
    // Gone meanwhile, or somebody else's.
    return ''
  }
}

/** How much was looked through in this process so far. */
export const scanned: { texts: number; characters: number } = { texts: 0, characters: 0 }

/** Looks for secrets, whole, in part and encoded, in a text. */
export function checkText(where: string, text: string, secrets: readonly string[]): void {
  scanned.texts += secrets.length > 0 ? 1 : 0
  scanned.characters += secrets.length > 0 ? text.length : 0
  if (holdsAny(text, secrets)) broken(`${where} holds a secret`)
}
