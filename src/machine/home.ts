// `~` in a path that a person typed.

import { posix, win32 } from 'node:path'
import type { Machine } from './system.ts'

/** A path as people write it: `~` is the home directory, before `\` too on Windows. */
export function expandHome(path: string, machine: Pick<Machine, 'home' | 'platform'>): string {
  const windows = machine.platform === 'win32'
  const inHome = windows ? /^~(?=[\\/]|$)/ : /^~(?=\/|$)/
  return inHome.test(path) ? (windows ? win32 : posix).join(machine.home, path.slice(1)) : path
}
