// Files and streams that a person named, whoever owns them and whatever wrote them.

import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import { errnoOf } from '../errors.ts'

/** A FIFO must not make an open wait for its other end. */
const NON_BLOCKING = constants.O_NONBLOCK ?? 0

/** A text in UTF-8, or in UTF-16 with its mark, as the PowerShell of Windows saves whatever is sent to a file. */
function decode(bytes: Buffer): string {
  const mark = bytes.toString('hex', 0, 2)
  if (mark === 'fffe') return bytes.toString('utf16le', 2)
  if (mark === 'feff')
    return bytes
      .subarray(0, bytes.length & ~1)
      .swap16()
      .toString('utf16le', 2)
  return bytes.toString('utf8')
}

/** Reads a file that the person named, whoever owns it; at most `maxBytes` of it. */
export function readForeignFile(path: string, maxBytes: number): string {
  const fd = openSync(path, constants.O_RDONLY | NON_BLOCKING)
  try {
    const bytes = Buffer.alloc(maxBytes)
    return decode(bytes.subarray(0, readSync(fd, bytes, 0, maxBytes, 0)))
  } finally {
    closeSync(fd)
  }
}

/** Reads what comes out of a stream; of more than `maxBytes` nothing, because half of it is worth nothing. */
export async function readForeignStream(stream: AsyncIterable<unknown>, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream) {
    const bytes = Buffer.from(chunk as Buffer | string)
    chunks.push(bytes)
    length += bytes.length
    if (length > maxBytes) return ''
  }
  return decode(Buffer.concat(chunks))
}

/** What is in a pipe at once; null: its writer has not written yet. */
function readAtOnce(fd: number, maxBytes: number): Buffer | null {
  const bytes = Buffer.alloc(maxBytes)
  try {
    return bytes.subarray(0, readSync(fd, bytes))
  } catch (error) {
    if (errnoOf(error) === 'EAGAIN') return null
    throw error
  }
}

/** Reads a file or, as a shell makes one for `<(…)`, the pipe that a name leads to. One without a writer is empty. */
export async function readForeignSource(path: string, maxBytes: number): Promise<string> {
  const fd = openSync(path, constants.O_RDONLY | NON_BLOCKING)
  if (!fstatSync(fd).isFIFO()) {
    closeSync(fd)
    return readForeignFile(path, maxBytes)
  }
  const first = readAtOnce(fd, maxBytes)
  // Loaded here alone: it is much code, and most starts read no pipe.
  const { Socket } = await import('node:net')
  // A socket waits for the other end without keeping a thread, and closes the descriptor.
  const rest = new Socket({ fd, writable: false })
  if (first?.length === 0) {
    rest.destroy()
    return ''
  }
  return readForeignStream(following(first, rest), maxBytes)
}

async function* following(first: Buffer | null, rest: AsyncIterable<unknown>): AsyncGenerator<unknown> {
  if (first) yield first
  yield* rest
}
