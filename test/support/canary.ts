// Looks for secrets in everything that the program shows or leaves behind: whole, in part, and in the usual encodings.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Shorter pieces of random secrets turn up by chance. */
const WINDOW = 12
/** Pieces of one form of a secret: its beginning, its end, and so many between. */
const WINDOWS = 9

/** The alphabets in which a secret could be written. What encodes in groups depends on where a group begins. */
function formsOf(secret: string): string[] {
  const base64 = [0, 1, 2].flatMap((offset) => {
    const bytes = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)])
    // The first and last group hold bits of what stands before and behind.
    return [bytes.toString('base64').slice(4, -4), bytes.toString('base64url').slice(4, -4)]
  })
  const hex = Buffer.from(secret).toString('hex')
  const escaped = JSON.stringify(secret).slice(1, -1)
  return [secret, encodeURIComponent(secret), escaped, hex, hex.toUpperCase(), ...base64]
}

function windowsOf(form: string): string[] {
  const last = Math.max(0, form.length - WINDOW)
  const starts = Array.from({ length: WINDOWS }, (_, index) => Math.floor((last * index) / (WINDOWS - 1)))
  return [...new Set(starts.map((start) => form.slice(start, start + WINDOW)))]
}

function piecesOf(secret: string): string[] {
  return secret.length < WINDOW ? [secret] : formsOf(secret).flatMap(windowsOf)
}

/** What three characters come to, of 65,536. */
function markOf(text: string, at: number): number {
  return (text.charCodeAt(at) * 961 + text.charCodeAt(at + 1) * 31 + text.charCodeAt(at + 2)) & 0xffff
}

type Wanted = { secrets: string; whole: string[]; windows: Set<string>; marks: Uint8Array }

/** What is looked for is the same for every file and log of a test, and takes longer to make than to find. */
let last: Wanted = { secrets: '', whole: [], windows: new Set(), marks: new Uint8Array(0x10000) }

function wantedOf(secrets: readonly string[]): Wanted {
  const key = secrets.join('\n')
  if (key === last.secrets) return last
  const pieces = new Set(secrets.flatMap(piecesOf))
  const windows = new Set([...pieces].filter((piece) => piece.length === WINDOW))
  const marks = new Uint8Array(0x10000)
  for (const piece of windows) marks[markOf(piece, 0)] = 1
  last = { secrets: key, whole: [...pieces].filter((piece) => !windows.has(piece)), windows, marks }
  return last
}

/** Whether a text holds a piece of one of the secrets: one walk through it, however many they are. */
export function holdsAny(text: string, secrets: readonly string[]): boolean {
  const { whole, windows, marks } = wantedOf(secrets)
  if (whole.some((piece) => text.includes(piece))) return true
  for (let at = 0; at + WINDOW <= text.length; at += 1) {
    // Nearly everywhere the beginning alone says that no piece stands here.
    if (marks[markOf(text, at)] && windows.has(text.slice(at, at + WINDOW))) return true
  }
  return false
}

/** Whether a text holds a piece of a secret. */
export function holdsSecret(text: string, secret: string): boolean {
  return holdsAny(text, [secret])
}

/** Which of the texts hold which of the secrets, by name; empty: none does. */
export function findSecrets(
  texts: Readonly<Record<string, string>>,
  secrets: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(texts).flatMap(([where, text]) =>
    Object.entries(secrets).flatMap(([name, secret]) =>
      holdsSecret(text, secret) ? [`${where} holds ${name}`] : [],
    ),
  )
}

/** The content of every file below a directory, by path. */
export function readTree(directory: string): Record<string, string> {
  if (!existsSync(directory)) return {}
  const entries = readdirSync(directory, { withFileTypes: true, recursive: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return Object.fromEntries(files.map((path) => [path, readFileSync(path, 'latin1')]))
}

/** The command line of a process and of its children, as every user of the machine can read it. */
export function readCommandLines(pid: number): string {
  try {
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    const own = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    return [own, ...children.filter(Boolean).map((child) => readCommandLines(Number(child)))].join('\n')
  } catch {
    // Gone, or a system without /proc.
    return ''
  }
}
