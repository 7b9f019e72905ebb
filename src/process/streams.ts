// stdin, stdout and stderr: each is opened when it is first needed, because that takes a start its time.

import { fstatSync } from 'node:fs'

/** Their descriptors: `process.stdout` would open a stream. */
export const STREAMS = { stdin: 0, stdout: 1, stderr: 2 } as const

/** Opens stderr when it is first needed; that no one reads it, or can, is no reason to end. */
export function writeError(text: string): void {
  try {
    if (process.stderr.listenerCount('error') === 0) process.stderr.on('error', () => undefined)
    process.stderr.write(text)
  } catch {
    // Node could not open it.
  }
}

/** Whether a person is there. Only a device is asked: that opens a stream. */
export function isTerminal(stream: keyof typeof STREAMS): boolean {
  try {
    return fstatSync(STREAMS[stream]).isCharacterDevice() && process[stream].isTTY === true
  } catch {
    return false
  }
}

/** Of a terminal that does not tell its own. */
const USUAL_COLUMNS = 80

/** The columns of the terminal where a person is; null: there is none. */
export function terminalWidth(stream: 'stdout' | 'stderr'): number | null {
  return isTerminal(stream) ? process[stream].columns || USUAL_COLUMNS : null
}

/** stdout, once it was opened, and why something for it was lost. */
export const output: { stream: NodeJS.WriteStream | null; lost: NodeJS.ErrnoException | null } = {
  stream: null,
  lost: null,
}

export function openOutput(): NodeJS.WriteStream {
  output.stream ??= process.stdout.on('error', (error) => {
    output.lost = error
  })
  return output.stream
}

/** Waits until what was written is out, or has failed: a pipe may still be taking it, and failures are told late. */
export async function flushed(stream: NodeJS.WriteStream): Promise<void> {
  if (stream.writableLength > 0) await new Promise((resolve) => stream.write('', resolve))
  await new Promise((resolve) => setImmediate(resolve))
}
