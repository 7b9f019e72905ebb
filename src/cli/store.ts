// `store`: makes a shared store ready, and copies between stores.

import { CodedError } from '../errors.ts'
import { type Copied, copyProfiles, openNamedStore } from '../profiles/store-copy.ts'
import { type Sentence, say, series } from '../sentence.ts'
import type { Initialized } from '../store/token-store.ts'
import { type Command, type Invocation, print } from './io.ts'
import { expectOperands, usageError } from './usage.ts'

const INIT_WORDS: Readonly<Record<Initialized['status'], Sentence>> = {
  created: say`created`,
  migrated: say`migrated`,
  unchanged: say`unchanged`,
}

const COPY_WORDS: Readonly<Record<Copied['status'], Sentence>> = {
  moved: say`moved`,
  empty: say`empty`,
  failed: say`failed`,
}

/** Prepares a shared store, or moves profiles between stores. */
export const store: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  const [action, ...rest] = operands
  expectOperands(cli, rest, [])
  if (action !== 'copy' && (options.from !== undefined || options.to !== undefined))
    throw usageError(cli, say`Only store copy takes --from and --to`)
  if (action === 'init') return init(invocation)
  if (action === 'copy') return copy(invocation)
  throw usageError(cli, say`store takes init, or copy --from A --to B`)
}

async function init({ cli, deps, options }: Invocation): Promise<number> {
  const made = await deps.store.init()
  if (!made) {
    throw new CodedError('config_invalid', say`The store is in files, which need no preparation.`, {
      nextStep: say`Set FEISHU_TOKEN_STORE to postgres://… first.`,
    })
  }
  const { status, version, keyId, keySource } = made
  const { tokenDir } = deps.config
  const shared =
    keySource === 'env'
      ? say`Every machine needs key ${keyId}: set FEISHU_TOKEN_KEY there as it is set here.`
      : say`Every machine needs key ${keyId}: copy key/${keyId}.shared.key from ${tokenDir} into its own FEISHU_TOKEN_DIR
          (for its owner alone).`
  const next_step = keySource
    ? shared
    : say`This machine lacks key ${keyId}: copy key/${keyId}.shared.key from the FEISHU_TOKEN_DIR of one that has it into ${tokenDir}
        (for its owner alone), or set FEISHU_TOKEN_KEY as it is set there.`
  const answer = { status, version, key_id: keyId, next_step }
  print(
    cli,
    options.json,
    answer,
    say`The tables are ${INIT_WORDS[status]} (version ${version}). ${next_step}\n`,
  )
  return 0
}

async function copy({ cli, deps, options }: Invocation): Promise<number> {
  const { from, to } = options
  if (from === undefined || to === undefined)
    throw usageError(cli, say`store copy needs --from and --to: file, postgres, or an address`)
  for (const name of [from, to]) {
    if (/^[^/]*\/\/[^/@]*:[^/@]+@/.test(name))
      cli.stderr(
        say`Others on this machine see a password on the command line: better FEISHU_TOKEN_STORE or PGPASSWORD.\n`,
      )
  }
  const source = await openNamedStore(deps, from)
  const target = await openNamedStore(deps, to)
  if (from === to || source === target) throw usageError(cli, say`--from and --to name the same store`)
  const profiles = await copyProfiles(deps, { from: source, to: target, profile: options.profile ?? null })
  const moved = profiles.filter(({ status }) => status === 'moved')
  const next_step =
    moved.length === 0
      ? say`Nothing was moved.`
      : say`Set FEISHU_TOKEN_STORE to the new store wherever the old one is used, and restart those servers.`
  const lines = profiles.map(({ profile, status, error }) =>
    error ? say`${profile}: ${COPY_WORDS[status]}. ${error}\n` : say`${profile}: ${COPY_WORDS[status]}\n`,
  )
  print(cli, options.json, { profiles, next_step }, say`${series(lines, '')}${next_step}\n`)
  return profiles.some(({ status }) => status === 'failed') ? 1 : 0
}
