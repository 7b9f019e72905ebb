// The window in which a crash loses the answer: from its last byte to the rename, against a bare write of the same bytes.

import diagnostics from 'node:diagnostics_channel'
import fs from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { dirname, join } from 'node:path'
import { refreshToken } from '../src/refresh/refresh.ts'
import { openTheatre, setScene } from '../test/faults/scene.ts'

export type Window = { rounds: number; ours: number[]; bare: number[] }

/** What any program must do to replace a file for good. */
function bareWrite(path: string, data: Buffer): void {
  const temporary = `${path}.bare`
  const fd = fs.openSync(temporary, 'wx', 0o600)
  fs.writeSync(fd, data)
  fs.fsyncSync(fd)
  fs.closeSync(fd)
  fs.renameSync(temporary, path)
  const folder = fs.openSync(dirname(path), 'r')
  fs.fsyncSync(folder)
  fs.closeSync(folder)
}

/** Refreshes `rounds` times, each time followed by a bare write; milliseconds. */
export async function measureWindow(rounds: number): Promise<Window> {
  const theatre = await openTheatre()
  // The whole life lies inside the margin: every call is due, and the limit of forced calls does not count.
  theatre.sandbox.knobs.accessTokenLifetimeMs = 200_000
  const scene = await setScene(theatre)
  const deps = await scene.open()
  const record = join(scene.folder, 'store', `feishu-${scene.id.appId}-default.json`)
  let lastByteAt = 0
  let renamedAt = 0
  diagnostics.subscribe('undici:request:trailers', () => {
    lastByteAt = performance.now()
  })
  const rename = fs.renameSync
  fs.renameSync = (from, to) => {
    rename(from, to)
    if (to === record) renamedAt = performance.now()
  }
  syncBuiltinESMExports()
  const ours: number[] = []
  const bare: number[] = []
  for (let round = 0; round < rounds; round += 1) {
    await refreshToken(deps, { profile: 'default', force: false })
    ours.push(renamedAt - lastByteAt)
    const bytes = fs.readFileSync(record)
    const startedAt = performance.now()
    bareWrite(join(scene.folder, 'store', 'bare'), bytes)
    bare.push(performance.now() - startedAt)
  }
  fs.renameSync = rename
  syncBuiltinESMExports()
  await theatre.close()
  return { rounds, ours, bare }
}

/** The value that a share `part` of the values does not exceed. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? 0
}
