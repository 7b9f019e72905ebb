// Writing to a descriptor at once, without a stream.

import { fstatSync, writeSync } from 'node:fs'

/**
 * Writes to a descriptor past Node's streams: for one on a pipe Node loads its network code. Returns what is left for a
 * stream: to wait for a reader, to speak to a terminal, to tell what is wrong.
 */
export function writeAtOnce(descriptor: number, text: string): Buffer {
  let rest = Buffer.from(text)
  try {
    if (fstatSync(descriptor).isCharacterDevice()) return rest
    while (rest.length > 0) rest = rest.subarray(writeSync(descriptor, rest))
  } catch {
    // A pipe that is full for now, a full disk, no one who reads: the stream meets the same.
  }
  return rest
}
