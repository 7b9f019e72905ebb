import { forTerminal } from '../chinese/for-terminal.ts'
import type { Status, TokenStatus } from '../status/fields.ts'
import { tokenStatus } from '../status/status.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './usage.ts'

const EXIT_CODES: Readonly<Record<Status, number>> = {
  valid: 0,
  needs_refresh: 0,
  store_unreadable: 1,
  not_configured: 2,
  expired: 3,
  not_authorized: 3,
}

/** Shows whether the token is valid and what to do next. */
export const status: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const answer = await tokenStatus(deps, { profile, verify: options.verify ?? false, waitSeconds: 0 })
  // The one text for people on stdout: it is what was asked for.
  if (options.json) print(cli, true, answer, '')
  else cli.show(statusText(answer, cli.command, options.profile))
  return EXIT_CODES[answer.status]
}

function duration(seconds: number | null): string {
  if (seconds === null) return 'unknown'
  if (seconds < 120) return `${seconds} s`
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)} h` : `${Math.floor(seconds / 86_400)} days`
}

/** Whether no authorization is worth a line: there was none, or a logout came after it. */
function isPast({ authorization_status, status }: TokenStatus): boolean {
  if (authorization_status === 'succeeded') return status === 'not_authorized'
  return authorization_status === 'none'
}

/** The status for people. */
export function statusText(answer: TokenStatus, command: string, profile: string | undefined): string {
  const who = answer.user_name ?? answer.user_open_id
  const rows: [string, string | null][] = [
    ['status', answer.status.replaceAll('_', ' ')],
    ['profile', `${answer.profile} (${answer.brand}, app ${answer.app_id ?? 'not configured'})`],
    ['logged in as', who],
    [
      'access token',
      answer.access_token_expires_at &&
        `until ${answer.access_token_expires_at} (${duration(answer.access_token_expires_in)})`,
    ],
    [
      'refresh token',
      answer.refresh_token_expires_at &&
        `until ${answer.refresh_token_expires_at} (${duration(answer.refresh_token_expires_in)})`,
    ],
    ['log in again by', answer.reauthorize_by],
    ['scopes', answer.granted_scopes.join(' ') || null],
    ['authorization', isPast(answer) ? null : answer.authorization_status],
    ['why', answer.authorization_error],
    ['key in', answer.key_source],
    ['verified', answer.verified === null ? null : answer.verified ? 'yes' : 'no, Feishu refused it'],
    ...answer.warnings.map((warning): [string, string] => ['warning', warning]),
    ['next step', answer.next_step],
  ]
  const shown = rows.filter((row) => row[1] !== null)
  const text = shown.map(([name, value]) => `${`${name}:`.padEnd(17)}${value}\n`).join('')
  return forTerminal(text, command, profile)
}
