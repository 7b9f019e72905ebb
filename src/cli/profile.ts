// `profile`: lists, removes and renames.

import { localTime } from '../moment.ts'
import { type ProfileRow, profileRows, removeProfile, renameProfile } from '../profiles/profiles.ts'
import { cell, columns, type Sentence, say, series, type Value } from '../sentence.ts'
import { type Command, type Invocation, print } from './io.ts'
import { STATUS_WORDS } from './status.ts'
import { expectOperands, usageError } from './usage.ts'

/** Lists, removes and renames profiles. */
export const profile: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  const [action, ...names] = operands
  if (options.force && action !== 'remove') throw usageError(cli, say`Only profile remove takes --force`)
  if (action === 'list') return list(invocation, names)
  if (action === 'remove') return remove(invocation, names)
  if (action === 'rename') return rename(invocation, names)
  throw usageError(cli, say`profile takes list, remove NAME, or rename NAME NEW`)
}

async function list({ cli, deps, profile, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, [])
  const profiles = await profileRows(deps, profile)
  print(cli, options.json, { profiles }, table(profiles))
  return 0
}

/** One line a profile, in columns. */
function table(profiles: ProfileRow[]): Sentence {
  const rows = profiles.map((row): Value[] => [
    row.profile,
    STATUS_WORDS[row.status],
    row.user_name ?? row.user_open_id ?? '-',
    row.app_id ? say`${row.brand ?? ''}, app ${row.app_id}` : '-',
    ...(row.reauthorize_by ? [say`log in again by ${localTime(row.reauthorize_by)}`] : []),
  ])
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => columns(String(row[column] ?? '')))),
  )
  const lines = rows.map((row) => {
    const cells = row.map((value, column) =>
      column === row.length - 1 ? value : cell(value, widths[column] ?? 0),
    )
    return say`${series(cells, '  ')}\n`
  })
  return series(lines, '')
}

async function remove({ cli, deps, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, ['NAME'])
  const name = names[0] ?? ''
  const { heldToken } = await removeProfile(deps, { profile: name, force: options.force ?? false })
  const next_step = heldToken
    ? say`Its token was deleted here and not revoked: at Feishu it lives on until it expires.`
    : say`Nothing is needed.`
  const answer = { status: 'removed', profile: name, revoked: false, next_step }
  print(cli, options.json, answer, say`${name}: removed. ${next_step}\n`)
  return 0
}

async function rename({ cli, deps, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, ['NAME', 'NEW'])
  const [from = '', to = ''] = names
  const { generation } = await renameProfile(deps, { from, to })
  const next_step = say`Where a client or a script names the profile "${from}" (FEISHU_PROFILE, --profile), name "${to}" now.`
  const answer = { status: 'renamed', profile: to, renamed_from: from, generation, next_step }
  print(cli, options.json, answer, say`${from}: renamed to ${to}. ${next_step}\n`)
  return 0
}
