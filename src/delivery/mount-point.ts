// A file that is a mount point cannot be replaced.

import { readFileSync } from 'node:fs'
import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'

/** A file that is mounted by itself, as containers do it, cannot be replaced: waiting changes nothing. */
export function refuseMountPoint(path: string): void {
  if (!isMountPoint(path)) return
  throw new CodedError(
    'store_not_writable',
    say`EBUSY: ${path} is mounted by itself, so it cannot be replaced: mount the folder that holds it instead`,
    { nextStep: say`Mount the folder, then deliver again.` },
  )
}

/** By Linux's table (proc(5), mountinfo), which writes white space in octal; elsewhere nothing is known to be one. */
function isMountPoint(path: string): boolean {
  let table: string
  try {
    table = readFileSync('/proc/self/mountinfo', 'utf8')
  } catch {
    return false
  }
  const escaped = path.replace(/[\s\\]/g, (char) => `\\${char.charCodeAt(0).toString(8).padStart(3, '0')}`)
  return table.split('\n').some((row) => row.split(' ')[4] === escaped)
}
