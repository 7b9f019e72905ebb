// Gives a row's record another name. Its seal binds it to its name, so it is sealed again; both rows change at once.

import { CodedError } from '../../errors.ts'
import { encodeRecord } from '../../oauth/token-set.ts'
import type { ProfileId } from '../../profile.ts'
import { say } from '../../sentence.ts'
import { lockedError } from '../files/locked-files.ts'
import type { LocalCopy } from './local-copy.ts'
import type { Leased } from './machine-lease.ts'
import { placeOf } from './row-journal.ts'
import type { Rows } from './rows.ts'

/** Takes both leases, in one order for everybody. Resolves to the record's generation; null: there is no record. */
export async function renameRow(
  place: { rows: Rows; localOf: (id: ProfileId) => LocalCopy; lease: (id: ProfileId) => Promise<Leased> },
  from: ProfileId,
  name: string,
): Promise<number | null> {
  const to = { ...from, profile: name }
  const held: Leased[] = []
  try {
    for (const id of from.profile < name ? [from, to] : [to, from]) held.push(await place.lease(id))
    const [first, second] = held as [Leased, Leased]
    const [source, target] = from.profile < name ? [first, second] : [second, first]
    return await move(place, { id: from, owner: source.owner }, { id: to, owner: target.owner })
  } finally {
    for (const { profile } of held) await profile.end()
  }
}

async function move(
  { rows, localOf }: { rows: Rows; localOf: (id: ProfileId) => LocalCopy },
  from: { id: ProfileId; owner: string },
  to: { id: ProfileId; owner: string },
): Promise<number | null> {
  const [stored, taken] = await Promise.all([rows.read(from.id), rows.read(to.id)])
  if (stored.record === null) return null
  if (taken.record !== null) {
    throw new CodedError(
      'config_invalid',
      say`There is a profile "${to.id.profile}" already; nothing was changed.`,
      {
        nextStep: say`Choose another name, or remove that profile first.`,
      },
    )
  }
  const { tokenSet } = await localOf(from.id).open(stored.record, placeOf(from.id))
  const generation = Math.max(stored.generation, taken.generation + 1)
  const { sealed } = localOf(to.id).files
  const key = await localOf(to.id).key(stored.key_id)
  const content = encodeRecord({ generation, tokenSet })
  const record = sealed.seal(key, localOf(to.id).files.binding('token-set'), generation, content)
  if (!(await rows.move(from, { ...to, record, generation, journal: stored.journal })))
    throw lockedError(null)
  localOf(from.id).drop()
  return generation
}
