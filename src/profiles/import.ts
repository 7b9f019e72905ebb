// Takes over the token.json of the script that people used before, or what it printed. Sends nothing.

import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errnoOf } from '../errors.ts'
import { readForeignSource, readForeignStream } from '../machine/foreign-file.ts'
import type { TokenRecord } from '../oauth/token-set.ts'
import { type Sentence, say, type Value } from '../sentence.ts'
import { LOCK_MS } from '../store/token-store.ts'
import { readImportedToken } from './imported-token.ts'

/** Two tokens of 4 KB and a list of scopes, many times over. */
const MAX_BYTES = 1_048_576

export type ImportOptions = {
  profile: string
  /** A file by its path, or the name of the input. */
  path: string | Sentence
  /** Standard input, where the tokens come from there. */
  input?: AsyncIterable<unknown>
  force: boolean
}

function malformed(path: Value, why: Sentence): CodedError {
  return new CodedError('config_invalid', say`${path} ${why}.`, {
    nextStep: say`Give the token.json of the other script: JSON with access_token, refresh_token and expires_at.`,
  })
}

async function read({ path, input }: ImportOptions): Promise<string> {
  try {
    return await (input ? readForeignStream(input, MAX_BYTES) : readForeignSource(String(path), MAX_BYTES))
  } catch (error) {
    throw malformed(path, say`cannot be read (${errnoOf(error) ?? say`unknown error`})`)
  }
}

/** Stores what a file, or standard input, holds as the profile's token set; an existing one is replaced only with `force`. */
export async function importTokens(deps: Deps, options: ImportOptions): Promise<TokenRecord> {
  const app = await resolveApp(deps, options.profile)
  const tokenSet = readImportedToken(await read(options), deps.clock.now())
  if ('why' in tokenSet) throw malformed(options.path, tokenSet.why)
  const record = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const stored = await locked.read()
    if (stored.tokenSet && !options.force) {
      throw new CodedError(
        'config_invalid',
        say`Profile "${options.profile}" has a token set already; nothing was imported.`,
        {
          nextStep: say`Use --force to replace it, or another --profile.`,
        },
      )
    }
    const record = { generation: stored.generation + 1, tokenSet }
    await locked.commit(record, stored.generation)
    return record
  })
  // What is in memory alone ends with this process, and the person is about to delete the file.
  await deps.store.flush()
  if (!deps.store.isUnsaved(app.id)) return record
  throw new CodedError('store_not_writable', say`The token set of ${options.path} was not imported.`, {
    nextStep: say`Free some disk space or fix the permissions of ${deps.config.tokenDir}, then import it again.`,
  })
}
