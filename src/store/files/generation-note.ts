// What a lock file knows of a profile's generations. It decides whether a record is an old copy that was put back, so only
// someone with the store's key can write it.

import { createHmac } from 'node:crypto'
import type { ProfileId } from '../../profile.ts'
import type { KeySource } from '../envelope.ts'
import type { Key } from '../key.ts'
import type { LockHolder } from '../lock.ts'
import type { SealedFiles } from '../sealed-files.ts'

export type GenerationNote = { generation: number; source: KeySource; key: string; proof: string }

/** A refresh each millisecond for thirty years. */
const MAX_GENERATION = 1e12

/** The note that a lock's last holder has left, not proved yet; null: none. */
export function noteOf(holder: LockHolder | null): GenerationNote | null {
  const note = holder?.note as GenerationNote | undefined
  const right = Number.isSafeInteger(note?.generation) && typeof note?.proof === 'string'
  return right && note ? note : null
}

/** The note of a generation, proved with a key. */
export function noteWith(id: ProfileId, key: Key, generation: number): GenerationNote {
  const bound = ['generation', id.brand, id.appId, id.profile, generation].join('\0')
  const proof = createHmac('sha256', key.bytes).update(bound).digest('hex')
  return { generation, source: key.source, key: key.id, proof }
}

/** The generation of a note; 0 where it is forged, or its key is not at hand. */
export async function proved(
  sealed: SealedFiles,
  id: ProfileId,
  note: GenerationNote | null,
): Promise<number> {
  return note && (await isProved(sealed, id, note)) ? note.generation : 0
}

/** The generation to go on from: where the key of the note is gone, as it says, unless that cannot be. */
export async function counted(
  sealed: SealedFiles,
  id: ProfileId,
  note: GenerationNote | null,
): Promise<number> {
  if (!note || note.generation > MAX_GENERATION) return 0
  return (await isProved(sealed, id, note)) === false ? 0 : note.generation
}

/** Null: its key is not at hand. */
async function isProved(sealed: SealedFiles, id: ProfileId, note: GenerationNote): Promise<boolean | null> {
  const key = await sealed.find({ key_source: note.source, key_id: note.key }).catch(() => null)
  return key && noteWith(id, key, note.generation).proof === note.proof
}
