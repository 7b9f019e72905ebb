// `status`: what is stored, in words.

import { localTime, until } from '../moment.ts'
import { cell, type Sentence, type Style, say, series, styled, type Value } from '../sentence.ts'
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
  if (options.json) print(cli, true, answer, say``)
  else cli.show(statusText(answer))
  return EXIT_CODES[answer.status]
}

export const STATUS_WORDS: Readonly<Record<Status, Sentence>> = {
  valid: say`valid`,
  needs_refresh: say`needs refresh`,
  expired: say`expired`,
  not_authorized: say`not authorized`,
  not_configured: say`not configured`,
  store_unreadable: say`store unreadable`,
}

const AUTHORIZATION_WORDS: Readonly<Record<TokenStatus['authorization_status'], Sentence>> = {
  none: say`none`,
  pending: say`pending`,
  succeeded: say`succeeded`,
  denied: say`denied`,
  failed: say`failed`,
  expired: say`expired`,
  cancelled: say`cancelled`,
}

const KEY_SOURCE_WORDS: Readonly<Record<NonNullable<TokenStatus['key_source']>, Sentence>> = {
  keychain: say`keychain`,
  file: say`file`,
  env: say`env`,
}

/** Whether no authorization is worth a line: there was none, or a logout came after it. */
function isPast({ authorization_status, status }: TokenStatus): boolean {
  if (authorization_status === 'succeeded') return status === 'not_authorized'
  return authorization_status === 'none'
}

/** The columns that the longest label takes. */
const LABEL_WIDTH = 17

const STATUS_STYLES: Readonly<Record<Status, Style>> = {
  valid: 'green',
  needs_refresh: 'yellow',
  store_unreadable: 'red',
  not_configured: 'yellow',
  expired: 'red',
  not_authorized: 'yellow',
}

/** Whose login it is: what a person looks for first. */
function loginOf({ status, user_name, user_open_id }: TokenStatus): Sentence | null {
  const who = user_name ?? user_open_id
  if (status === 'valid' || status === 'needs_refresh') {
    return who === null ? say`Logged in.` : say`Logged in as ${who}.`
  }
  if (status === 'expired')
    return who === null ? say`The login has ended.` : say`The login of ${who} has ended.`
  return status === 'not_authorized' ? say`Not logged in.` : null
}

/** When a person must log in again; null: nothing is known. It is told once where it is the refresh token's end, too. */
function loginAgain(answer: TokenStatus): Sentence | null {
  const { reauthorize_by: by, refresh_token_expires_at: end, refresh_token_expires_in: left } = answer
  if (by === null) return null
  return by === end ? until(by, left) : say`until ${localTime(by)}`
}

/** The status for people. */
export function statusText(answer: TokenStatus): Sentence {
  const app = answer.app_id ?? say`not configured`
  const { verified, status } = answer
  const oneEnd = answer.reauthorize_by === answer.refresh_token_expires_at
  const login = loginOf(answer)
  const rows: [label: Sentence, value: Value | null][] = [
    [say`status:`, styled(STATUS_WORDS[status], STATUS_STYLES[status])],
    [say`profile:`, say`${answer.profile} (${answer.brand}, app ${app})`],
    [say`access token:`, until(answer.access_token_expires_at, answer.access_token_expires_in)],
    [
      say`refresh token:`,
      oneEnd ? null : until(answer.refresh_token_expires_at, answer.refresh_token_expires_in),
    ],
    [say`login:`, loginAgain(answer)],
    [say`scopes:`, answer.granted_scopes.join(' ') || null],
    [say`authorization:`, isPast(answer) ? null : AUTHORIZATION_WORDS[answer.authorization_status]],
    [say`why:`, answer.authorization_error],
    [say`store:`, answer.store === 'postgres' ? answer.store : null],
    [say`key in:`, answer.key_source && KEY_SOURCE_WORDS[answer.key_source]],
    [say`verified:`, verified === null ? null : verified ? say`yes` : say`no, Feishu refused it`],
    ...answer.warnings.map((warning): [Sentence, Sentence] => [
      styled(cell(say`warning:`, LABEL_WIDTH), 'yellow'),
      warning,
    ]),
    [styled(cell(say`next step:`, LABEL_WIDTH), 'bold'), answer.next_step],
  ]
  const lines = rows.flatMap(([label, value]) =>
    value === null ? [] : [say`${cell(label, LABEL_WIDTH)}${value}\n`],
  )
  return series(login ? [say`${styled(login, 'bold')}\n`, ...lines] : lines, '')
}
