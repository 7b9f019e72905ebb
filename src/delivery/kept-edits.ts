// The edits of others that a delivery or `setup` came across and kept beside their files: only a person can say what
// becomes of them.

import type { Machine } from '../machine/system.ts'
import { resolvePath } from './attempt.ts'
import { findConfigs } from './client-config.ts'
import { keptEdits } from './replacement.ts'
import type { Target } from './targets.ts'

/** Every such file beside the targets, and beside the configs of the clients that are on this machine. */
export function findKeptEdits(targets: readonly Target[], machine: Machine): string[] {
  const configs = findConfigs(machine, { command: '', args: [] }).map(({ target }) => target)
  return [...new Set([...targets, ...configs].flatMap(keptBeside))]
}

function keptBeside(target: Target): string[] {
  try {
    const path = resolvePath(target)
    return (path === null ? target.paths : [path]).flatMap(keptEdits)
  } catch {
    // A folder that cannot be read is told by whoever delivers there.
    return []
  }
}
