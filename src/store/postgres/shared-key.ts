// The one key of a store that several machines share. Each of them has a copy, in the environment or in a key file;
// it is known by its id alone, and no machine ever makes another one for a store that has one.

import { CodedError } from '../../errors.ts'
import { say } from '../../sentence.ts'
import type { KeySource } from '../envelope.ts'
import type { Key, Keys, NamedKey } from '../key.ts'

type SharedSource = Exclude<KeySource, 'keychain'>

/** The keys of this machine as far as a shared store uses them; `last` is where the key was found. */
export type SharedKeys = Keys & { last(): KeySource | null }

/** Looks for a shared store's key where the setting says; `auto` is the environment if it has one, then the key files. */
export function createSharedKeys(
  keys: Keys,
  setting: 'auto' | SharedSource,
  hasEnvironmentKey: boolean,
): SharedKeys {
  const auto: SharedSource[] = hasEnvironmentKey ? ['env', 'file'] : ['file']
  const sources = setting === 'auto' ? auto : [setting]
  let last: KeySource | null = null

  async function find({ key_id }: NamedKey): Promise<Key> {
    for (const key_source of sources) {
      const key = await keys.find({ key_source, key_id }).catch((error) => {
        if (error instanceof CodedError && error.code === 'key_unavailable') return null
        throw error
      })
      if (!key) continue
      last = key.source
      return key
    }
    throw missing(key_id, sources)
  }

  return {
    ...keys,
    find,
    successor: find,
    first: async () => (sources.includes('env') ? keys.obtain('env') : keys.create()),
    last: () => last,
  }
}

function missing(id: string, sources: SharedSource[]): CodedError {
  const env = 'FEISHU_TOKEN_KEY'
  const where = sources.includes('env') ? env : say`the key file key/${id}.shared.key`
  return new CodedError(
    'key_unavailable',
    say`The shared store is sealed with key ${id}, and ${where} does not hold it on this machine; nothing was changed.`,
    {
      nextStep: say`Copy the key from a machine where it works: key/${id}.shared.key in its FEISHU_TOKEN_DIR into that folder here
          (for its owner alone), or the value of ${env}.`,
    },
  )
}
