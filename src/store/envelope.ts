// The sealed form of everything secret that lies on disk: AES-256-GCM with a random nonce. The header is readable and
// authenticated. A file has exactly one valid spelling: what does not read back byte for byte was touched by someone.

import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { CodedError } from '../errors.ts'
import { call, clause, type Sentence, say, type Value } from '../sentence.ts'

export type KeySource = 'keychain' | 'file' | 'env'

/** What is readable without the key, and bound to the content (additional authenticated data). */
export type Header = {
  kind: 'token-set' | 'authorization' | 'apps'
  brand: string
  app_id: string
  profile: string
  generation: number
  key_source: KeySource
  key_id: string
}

/** What a sealed content belongs to; a file that names anything else is refused. */
export type Binding = Pick<Header, 'kind' | 'brand' | 'app_id' | 'profile'>

const FORMAT = 'feishu-token-mcp'
/** Raised when the header's fields change; a newer one than ours is refused and kept. */
const VERSION = 1
/** 96 bits, the nonce size that GCM is made for (NIST SP 800-38D §5.2.1.1). */
const NONCE_BYTES = 12
const TAG_BYTES = 16

/** Names a key without telling anything about it: 64 bits of a hash. */
export function keyIdOf(key: Buffer): string {
  return createHash('sha256').update('feishu-token-mcp key id\0').update(key).digest('hex').slice(0, 16)
}

/** Whether something is one of {@link keyIdOf}'s names. */
export function isKeyId(id: unknown): boolean {
  return /^[0-9a-f]{16}$/.test(String(id))
}

function encodeHeader(header: Header): string {
  const { kind, brand, app_id, profile, generation, key_source, key_id } = header
  return JSON.stringify({
    format: FORMAT,
    version: VERSION,
    kind,
    brand,
    app_id,
    profile,
    generation,
    key_source,
    key_id,
  })
}

/** Seals a JSON content under a header. {@link openEnvelope} is its inverse. */
export function seal(header: Header, content: unknown, key: Buffer): string {
  const nonce = randomBytes(NONCE_BYTES)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const bound = encodeHeader(header)
  cipher.setAAD(Buffer.from(bound))
  const sealed = Buffer.concat([
    nonce,
    cipher.update(JSON.stringify(content)),
    cipher.final(),
    cipher.getAuthTag(),
  ])
  return `${bound.slice(0, -1)},"sealed":"${sealed.toString('base64')}"}\n`
}

/** No file is lost by it. */
export const KEEPS_ASIDE: Sentence = clause(
  say`${call('start_authorization')}: a new authorization keeps this file aside and writes a new one`,
)

function unreadable(path: Value, why: Sentence): CodedError {
  return new CodedError('store_unreadable', say`${path} ${why}; it was left as it is.`, {
    nextStep: say`Restore the file from a backup if there is one; otherwise ${KEEPS_ASIDE}.`,
  })
}

const KINDS: readonly unknown[] = ['token-set', 'authorization', 'apps']
const KEY_SOURCES: readonly unknown[] = ['keychain', 'file', 'env']

function isHeader(json: Record<string, unknown>): json is Record<string, unknown> & Header {
  const { kind, brand, app_id, profile, generation, key_source, key_id } = json
  return (
    [brand, app_id, profile].every((text) => typeof text === 'string') &&
    KINDS.includes(kind) &&
    KEY_SOURCES.includes(key_source) &&
    isKeyId(key_id) &&
    Number.isSafeInteger(generation)
  )
}

/** A header names things before its seal is proved: what is shown of it is bounded and plain. */
function shown(name: string): string {
  return `"${name.slice(0, 64).replace(/[^\w.-]/g, '?')}"`
}

/** A sealed text taken apart: its seal is not proved yet. */
export type Envelope = { header: Header; sealed: Buffer }

/** Reads a sealed text, without the key and so without proof. `path` is for the error's text. */
export function readEnvelope(text: string, path: Value): Envelope {
  let json: Record<string, unknown>
  try {
    json = JSON.parse(text)
  } catch {
    throw unreadable(path, say`is damaged (no complete JSON)`)
  }
  if (typeof json !== 'object' || json === null || json.format !== FORMAT) {
    throw unreadable(path, say`is not a file of this program`)
  }
  const version = json.version
  if (typeof version === 'number' && version > VERSION) {
    throw new CodedError(
      'store_unreadable',
      say`${path} was written by a newer version of feishu-token-mcp.`,
      {
        nextStep: say`Update feishu-token-mcp; the file was left as it is.`,
      },
    )
  }
  if (!isHeader(json)) throw unreadable(path, say`is damaged`)
  const sealed = typeof json.sealed === 'string' ? Buffer.from(json.sealed, 'base64') : Buffer.alloc(0)
  const spelled = `${encodeHeader(json).slice(0, -1)},"sealed":"${sealed.toString('base64')}"}\n`
  if (spelled !== text || sealed.length <= NONCE_BYTES + TAG_BYTES) throw unreadable(path, say`is damaged`)
  return { header: json, sealed }
}

/** Reads the header of a sealed text, without the key and so without proof. */
export function readHeader(text: string, path: Value): Header {
  return readEnvelope(text, path).header
}

/**
 * Opens what {@link seal} made.
 *
 * @param path where it lies, for the error's text
 * @throws CodedError `store_unreadable` when it is damaged, or not what `binding` says
 */
export function openEnvelope(
  { header, sealed }: Envelope,
  binding: Binding,
  key: Buffer,
  path: Value,
): { header: Header; content: Record<string, unknown> } {
  for (const name of ['kind', 'brand', 'app_id', 'profile'] as const) {
    if (header[name] !== binding[name]) {
      throw unreadable(path, say`belongs to ${name} ${shown(header[name])}, not ${shown(binding[name])}`)
    }
  }
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, sealed.subarray(0, NONCE_BYTES))
    decipher.setAAD(Buffer.from(encodeHeader(header)))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    const plain = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
    return { header, content: JSON.parse(plain.toString('utf8')) }
  } catch {
    throw unreadable(path, say`was changed or damaged: its seal does not hold`)
  }
}
