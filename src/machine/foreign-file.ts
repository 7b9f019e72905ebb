import { closeSync, constants, openSync, readSync } from 'node:fs'

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
