// What the other server has, as last seen: kept in a file, so that the next start lists it at once, without a network.

import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { type ListMethod, type Lists, namedItems } from '../bridge/message.ts'
import { readOwnFile, replaceFile } from '../machine/files.ts'
import { ensureOwnDirectory } from '../machine/own-directory.ts'

export type Kept = {
  lists: Lists
  /** The tools that were asked for when `allowed` was found to work at the hosted server. */
  asked: string[]
  allowed: string[] | null
}

/** Hundreds of tools with large schemas; what is larger was not written by us. */
const MAX_BYTES = 16_777_216

const METHODS: readonly ListMethod[] = [
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
]

/** Nothing is known yet. */
export function emptyLists(): Lists {
  return { 'tools/list': [], 'prompts/list': [], 'resources/list': [], 'resources/templates/list': [] }
}

/** The lists that are not the same in both. */
export function differing(one: Lists, other: Lists): ListMethod[] {
  return METHODS.filter((method) => JSON.stringify(one[method]) !== JSON.stringify(other[method]))
}

/** Where the lists of a server are kept: `key` names it, and may hold a secret. */
export function listsFile(tokenDir: string, key: readonly unknown[]): string {
  const name = createHash('sha256').update(JSON.stringify(key)).digest('hex').slice(0, 32)
  return join(tokenDir, 'connect', `${name}.json`)
}

/** What is kept; null: nothing that can be read. */
export function readLists(file: string): Kept | null {
  try {
    const text = readOwnFile(file, MAX_BYTES)?.toString('utf8')
    const kept = text === undefined ? null : (JSON.parse(text) as Kept)
    const isWhole = (method: ListMethod) =>
      namedItems(method, kept?.lists[method]).length === kept?.lists[method].length
    return METHODS.every(isWhole) ? kept : null
  } catch {
    // It is only a copy: the next list takes its place.
    return null
  }
}

/** Keeps the lists, 0600 in a folder of its own. */
export function writeLists(tokenDir: string, file: string, kept: Kept): void {
  ensureOwnDirectory(tokenDir)
  ensureOwnDirectory(join(tokenDir, 'connect'))
  replaceFile(file, JSON.stringify(kept))
}
