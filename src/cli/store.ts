import { CodedError } from '../errors.ts'
import { copyProfiles, openNamedStore } from '../profiles/store-copy.ts'
import { type Command, type Invocation, print } from './io.ts'
import { expectOperands, usageError } from './usage.ts'

/** Prepares a shared store, or moves profiles between stores. */
export const store: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  const [action, ...rest] = operands
  expectOperands(cli, rest, [])
  if (action !== 'copy' && (options.from !== undefined || options.to !== undefined))
    throw usageError(cli.command, 'Only store copy takes --from and --to')
  if (action === 'init') return init(invocation)
  if (action === 'copy') return copy(invocation)
  throw usageError(cli.command, 'store takes init, or copy --from A --to B')
}

async function init({ cli, deps, options }: Invocation): Promise<number> {
  const made = await deps.store.init()
  if (!made) {
    throw new CodedError('config_invalid', 'The store is in files, which need no preparation.', {
      nextStep: 'Set FEISHU_TOKEN_STORE to postgres://… first.',
    })
  }
  const { status, version, keyId } = made
  const next_step =
    `Every machine needs key ${keyId}: copy key/${keyId}.key from ${deps.config.tokenDir} into its own FEISHU_TOKEN_DIR ` +
    '(mode 600), or set FEISHU_TOKEN_KEY there as it is set here.'
  const answer = { status, version, key_id: keyId, next_step }
  print(cli, options.json, answer, `The tables are ${status} (version ${version}). ${next_step}\n`)
  return 0
}

async function copy({ cli, deps, options }: Invocation): Promise<number> {
  const { from, to } = options
  if (from === undefined || to === undefined)
    throw usageError(cli.command, 'store copy needs --from and --to: file, postgres, or postgres://…')
  for (const name of [from, to]) {
    if (/^[^/]*\/\/[^/@]*:[^/@]+@/.test(name))
      cli.stderr(
        'Others on this machine see a password on the command line: better FEISHU_TOKEN_STORE or PGPASSWORD.\n',
      )
  }
  const source = await openNamedStore(deps, from)
  const target = await openNamedStore(deps, to)
  if (from === to || source === target) throw usageError(cli.command, '--from and --to name the same store')
  const profiles = await copyProfiles(deps, { from: source, to: target, profile: options.profile ?? null })
  const moved = profiles.filter(({ status }) => status === 'moved')
  const next_step =
    moved.length === 0
      ? 'Nothing was moved.'
      : 'Set FEISHU_TOKEN_STORE to the new store wherever the old one is used, and restart those servers.'
  const lines = profiles.map(
    ({ profile, status, error }) => `${profile}: ${status}${error ? `. ${error}` : ''}\n`,
  )
  print(cli, options.json, { profiles, next_step }, `${lines.join('')}${next_step}\n`)
  return profiles.some(({ status }) => status === 'failed') ? 1 : 0
}
