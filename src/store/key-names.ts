// Who on this machine still needs a key. Two stores may have come to share one, and files that were kept aside or that a
// crash left half way need theirs too: so a key goes only when no file at all names it.

import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { isMissing } from '../machine/files.ts'

/** The head of a sealed file, which names its key, comes first and is shorter. */
const HEAD_BYTES = 1_024
/** In it lie the keys themselves, and what is noted about them. */
const KEYS_FOLDER = 'key'

/** Whether a file below the store's directory names the key; one that cannot be read may. */
export function isKeyNamed(directory: string, id: string): boolean {
  return readdirSync(directory, { withFileTypes: true }).some((entry) => {
    const path = join(directory, entry.name)
    if (entry.isDirectory()) return entry.name !== KEYS_FOLDER && isKeyNamed(path, id)
    return entry.isFile() && headOf(path).includes(`"key_id":"${id}"`)
  })
}

function headOf(path: string): string {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    if (isMissing(error)) return ''
    throw error
  }
  try {
    const bytes = Buffer.alloc(HEAD_BYTES)
    return bytes.toString('latin1', 0, readSync(fd, bytes, 0, HEAD_BYTES, 0))
  } finally {
    closeSync(fd)
  }
}
