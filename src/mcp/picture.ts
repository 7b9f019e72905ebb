// A link as a QR code in PNG, for clients that show images: a person scans it with the phone that Feishu is on.

import { deflateSync } from 'node:zlib'
import { encode } from 'uqr'

/** Large enough to be scanned off a screen, small enough not to fill a chat. */
const PIXELS_A_MODULE = 4
/** ISO/IEC 18004 §9.1: four light modules around the symbol. */
const QUIET_MODULES = 4
const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** The QR code of a text as PNG. */
export function drawQrCode(text: string): Buffer {
  const { data, size } = encode(text, { border: QUIET_MODULES })
  const pixels = size * PIXELS_A_MODULE
  // One bit a pixel, dark is 0; each row begins with its filter, which is none.
  const rowBytes = 1 + Math.ceil(pixels / 8)
  const image = Buffer.alloc(rowBytes * pixels)
  for (let y = 0; y < pixels; y += 1) {
    const modules = data[Math.floor(y / PIXELS_A_MODULE)] ?? []
    for (let x = 0; x < pixels; x += 1) {
      if (modules[Math.floor(x / PIXELS_A_MODULE)]) continue
      const at = y * rowBytes + 1 + (x >> 3)
      image[at] = (image[at] ?? 0) | (0x80 >> (x & 7))
    }
  }
  const header = Buffer.alloc(13)
  header.writeUInt32BE(pixels, 0)
  header.writeUInt32BE(pixels, 4)
  // One bit deep, grey scale; compression, filter and interlace are 0.
  header[8] = 1
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(image)),
    chunk('IEND', Buffer.alloc(0)),
  ])
}

/** A chunk of a PNG (PNG §5.3). */
function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const framed = Buffer.alloc(body.length + 8)
  framed.writeUInt32BE(data.length, 0)
  body.copy(framed, 4)
  framed.writeUInt32BE(checksum(body), body.length + 4)
  return framed
}

/** CRC-32 (PNG §5.5); Node has one of its own only from 20.15 and 22.2 on. */
function checksum(bytes: Buffer): number {
  let crc = 0xffffffff
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit += 1) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return (crc ^ 0xffffffff) >>> 0
}
