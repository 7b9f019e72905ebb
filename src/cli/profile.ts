import { listProfiles, type ProfileRow, removeProfile, renameProfile } from '../profiles/profiles.ts'
import { type Command, type Invocation, print } from './io.ts'
import { expectOperands, usageError } from './usage.ts'

/** Lists, removes and renames profiles. */
export const profile: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  const [action, ...names] = operands
  if (options.force && action !== 'remove') throw usageError(cli.command, 'Only profile remove takes --force')
  if (action === 'list') return list(invocation, names)
  if (action === 'remove') return remove(invocation, names)
  if (action === 'rename') return rename(invocation, names)
  throw usageError(cli.command, 'profile takes list, remove NAME, or rename NAME NEW')
}

async function list({ cli, deps, profile, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, [])
  const profiles = await listProfiles(deps, profile)
  print(cli, options.json, { profiles }, table(profiles))
  return 0
}

/** One line a profile, in columns. */
function table(profiles: ProfileRow[]): string {
  const rows = profiles.map((row) => [
    row.profile,
    row.status.replaceAll('_', ' '),
    row.user_name ?? row.user_open_id ?? '-',
    row.app_id ? `${row.brand}, app ${row.app_id}` : '-',
    row.reauthorize_by ? `log in again by ${row.reauthorize_by}` : '',
  ])
  const widths = [0, 1, 2, 3].map((column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  return rows
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('')
}

async function remove({ cli, deps, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, ['NAME'])
  const name = names[0] ?? ''
  const { heldToken } = await removeProfile(deps, { profile: name, force: options.force ?? false })
  const next_step = heldToken
    ? 'Its token was deleted here and not revoked: at Feishu it lives on until it expires.'
    : 'Nothing is needed.'
  const answer = { status: 'removed', profile: name, revoked: false, next_step }
  print(cli, options.json, answer, `${name}: removed. ${next_step}\n`)
  return 0
}

async function rename({ cli, deps, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, ['NAME', 'NEW'])
  const [from = '', to = ''] = names
  const { generation } = await renameProfile(deps, { from, to })
  const next_step = `Where a client or a script names the profile "${from}" (FEISHU_PROFILE, --profile), name "${to}" now.`
  const answer = { status: 'renamed', profile: to, renamed_from: from, generation, next_step }
  print(cli, options.json, answer, `${from}: renamed to ${to}. ${next_step}\n`)
  return 0
}
