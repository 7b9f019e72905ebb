// What a machine keeps of a shared store, in a folder of its own.

import type { Json } from '../../../src/oauth/answer.ts'
import { encodeRecord } from '../../../src/oauth/token-set.ts'
import type { Key } from '../../../src/store/key.ts'
import { LocalCopy } from '../../../src/store/postgres/local-copy.ts'
import { createSharedKeys, type SharedKeys } from '../../../src/store/postgres/shared-key.ts'
import { SealedFiles } from '../../../src/store/sealed-files.ts'
import { makeFolder } from '../../support/folder.ts'
import { fileKeys } from '../../support/stored.ts'
import { ID, makeRecord } from '../fixture.ts'

export type LocalPlace = {
  directory: string
  keys: SharedKeys
  key: Key
  local: LocalCopy
  /** A sealed record, or what stands in its place. */
  sealed(generation: number, content?: Json): string
}

export function makeLocalPlace(): LocalPlace {
  const directory = makeFolder()
  const own = fileKeys(directory)
  const key = own.create()
  const keys = createSharedKeys(own, 'file', false)
  const local = new LocalCopy(new SealedFiles(directory, keys), keys, ID)
  const sealed = (generation: number, content: Json = encodeRecord(makeRecord(generation))) =>
    local.files.sealed.seal(key, local.files.binding('token-set'), generation, content)
  return { directory, keys, key, local, sealed }
}
