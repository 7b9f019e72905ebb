// Gives a sealed record another name. Its seal binds it to its name, so it is sealed again; and since two records with
// one refresh token would spend it twice, the old one gives its tokens up first, and keeps them sealed beside the name
// that they go to. A crash at any point leaves one record in force or none, and the same call completes it.

import { existsSync } from 'node:fs'
import { CodedError } from '../../errors.ts'
import { replaceFile } from '../../machine/files.ts'
import type { Json } from '../../oauth/answer.ts'
import { say } from '../../sentence.ts'
import type { HeldLock } from '../lock.ts'
import { notWritable } from '../sealed-files.ts'
import { noteWith } from './generation-note.ts'
import { takeUp } from './locked-files.ts'
import { type LeavingRecord, leavingRecord, type ProfileFiles } from './profile-files.ts'

/** Takes both locks, in one order for everybody. Resolves to the record's generation; null: there is no record. */
export async function renameRecord(
  from: ProfileFiles,
  to: ProfileFiles,
  lock: (path: string) => Promise<HeldLock>,
): Promise<number | null> {
  const held: HeldLock[] = []
  try {
    for (const files of from.path < to.path ? [from, to] : [to, from]) {
      const taken = await lock(files.lockPath)
      held.push(taken)
      await takeUp(files, taken)
    }
    const opened = await from.sealed.open(from.path, from.binding('token-set'))
    if (!opened) return null
    const generation = await hand(opened.content, from, to)
    const highest = Math.max(generation, await to.highestGeneration())
    const key = await from.sealed.sealingKey(to.path)
    held[from.path < to.path ? 1 : 0]?.describe(noteWith(to.id, key, highest))
    from.removeAll()
    return generation
  } catch (error) {
    throw notWritable(from.path, error)
  } finally {
    for (const lock of held) lock.release()
  }
}

/** Puts the record of `from`, with this content, into force as `to`; resolves to its generation there. */
async function hand(content: Json, from: ProfileFiles, to: ProfileFiles): Promise<number> {
  const { sealed } = from
  const leaving = leavingRecord(content)
  const exists = existsSync(to.path)
  if (leaving ? leaving.renamed_to !== to.id.profile : exists) throw refused(from, to, leaving)
  if (exists) return (await to.readRecord()).generation
  const record = leaving?.renamed ?? content
  const generation = Number(content.generation)
  const key = await sealed.sealingKey(from.path)
  const note: LeavingRecord = {
    generation,
    token_set: null,
    renamed_to: to.id.profile,
    renamed: record,
  }
  replaceFile(from.path, sealed.seal(key, from.binding('token-set'), generation, note))
  const journal = from.readJournal()
  if (journal) replaceFile(to.intentPath, `${JSON.stringify(journal)}\n`)
  // A generation that the name has had before would look like an old copy that was put back.
  const next = Math.max(generation, (await to.highestGeneration()) + 1)
  replaceFile(to.path, sealed.seal(key, to.binding('token-set'), next, { ...record, generation: next }))
  return next
}

function refused(from: ProfileFiles, to: ProfileFiles, leaving: LeavingRecord | null): CodedError {
  if (leaving) {
    return new CodedError(
      'config_invalid',
      say`Profile "${from.id.profile}" was being renamed to "${leaving.renamed_to}" when it was interrupted.`,
      { nextStep: say`Rename it to "${leaving.renamed_to}" first.` },
    )
  }
  return new CodedError(
    'config_invalid',
    say`There is a profile "${to.id.profile}" already; nothing was changed.`,
    {
      nextStep: say`Choose another name, or remove that profile first.`,
    },
  )
}
