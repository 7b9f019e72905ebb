// The one error class, and the one table from code to recovery (docs/design.md).

import { about, type Sentence, say } from './sentence.ts'

/** What the caller does about an error. */
export type Recovery = 'retry' | 'wait' | 'reauthorize' | 'fix_config'

/** Stable: programs branch on these. RFC names where there is one. */
export type ErrorCode =
  | 'network_error'
  | 'server_error'
  | 'temporarily_unavailable'
  | 'unexpected_response'
  | 'store_not_writable'
  | 'rate_limited'
  | 'store_locked'
  | 'not_authorized'
  | 'invalid_grant'
  | 'no_refresh_token'
  | 'refresh_uncertain'
  | 'access_denied'
  | 'authorization_expired'
  | 'state_mismatch'
  | 'not_configured'
  | 'config_invalid'
  | 'invalid_client'
  | 'unauthorized_client'
  | 'refresh_not_allowed'
  | 'invalid_scope'
  | 'scope_unknown'
  | 'callback_port_in_use'
  | 'user_mismatch'
  | 'key_unavailable'
  | 'store_unreadable'
  | 'tls_error'
  | 'challenge_required'

/** The one table `code → recovery`. */
const RECOVERY: Readonly<Record<ErrorCode, Recovery>> = {
  network_error: 'retry',
  server_error: 'retry',
  temporarily_unavailable: 'retry',
  unexpected_response: 'retry',
  store_not_writable: 'retry',
  rate_limited: 'wait',
  store_locked: 'wait',
  not_authorized: 'reauthorize',
  invalid_grant: 'reauthorize',
  no_refresh_token: 'reauthorize',
  refresh_uncertain: 'reauthorize',
  access_denied: 'reauthorize',
  authorization_expired: 'reauthorize',
  state_mismatch: 'reauthorize',
  not_configured: 'fix_config',
  config_invalid: 'fix_config',
  invalid_client: 'fix_config',
  unauthorized_client: 'fix_config',
  refresh_not_allowed: 'fix_config',
  invalid_scope: 'fix_config',
  scope_unknown: 'fix_config',
  callback_port_in_use: 'fix_config',
  user_mismatch: 'fix_config',
  key_unavailable: 'fix_config',
  store_unreadable: 'fix_config',
  tls_error: 'fix_config',
  challenge_required: 'fix_config',
}

export type CodedErrorDetails = {
  /** One sentence that names the next tool, command or setting. */
  nextStep: Sentence
  /** Feishu's number, where Feishu answered. */
  feishuCode?: number | null
  /** Feishu's `X-Tt-Logid`, where Feishu answered. */
  logId?: string | null
  /** The evidence; never shown, never holds a secret. */
  cause?: unknown
}

/**
 * The one error class. `said` and `step` are for a person, `message` and `nextStep` the same as tools say them; nothing
 * secret is in them, nor in `cause`.
 */
export class CodedError extends Error {
  readonly code: ErrorCode
  readonly recovery: Recovery
  readonly said: Sentence
  readonly step: Sentence
  readonly nextStep: string
  readonly feishuCode: number | null
  readonly logId: string | null

  constructor(code: ErrorCode, said: Sentence, details: CodedErrorDetails) {
    super(String(said), { cause: details.cause })
    this.name = 'CodedError'
    this.code = code
    this.recovery = RECOVERY[code]
    this.said = said
    this.step = details.nextStep
    this.nextStep = String(details.nextStep)
    this.feishuCode = details.feishuCode ?? null
    this.logId = details.logId ?? null
  }
}

/** The same error about one profile, perhaps not the one in force: what it says to call names it. */
export function errorAbout(profile: string, error: unknown): unknown {
  if (!(error instanceof CodedError)) return error
  return new CodedError(error.code, error.said, { ...error, nextStep: about(error.step, profile) })
}

/** How a next step ends that leads to the same call; where that cannot be repeated, another end takes its place. */
export const THEN_TRY_AGAIN: Sentence = say`, then try again`

/** What a log may tell of an error. The text of one that no one foresaw may hold anything: it is only named. */
export function describeError(error: unknown): Sentence {
  if (error instanceof CodedError) return say`${error.code}: ${error.said}`
  const errno = (error as NodeJS.ErrnoException | null)?.code
  const code = typeof errno === 'string' && /^[A-Z0-9_]+$/.test(errno) ? ` (${errno})` : ''
  return say`${error instanceof Error ? `${error.name}${code}` : typeof error}`
}

/** Where an error came from, without its text. */
export function traceOf(error: unknown): string {
  const stack = error instanceof Error ? (error.stack ?? '') : ''
  return stack
    .split('\n')
    .filter((line) => /^ +at /.test(line))
    .join('\n')
}

/** The errno of a file system error, or null for any other error. */
export function errnoOf(error: unknown): string | null {
  const code = (error as NodeJS.ErrnoException | null)?.code
  return typeof code === 'string' ? code : null
}

/** What no second attempt fixes: rights, a read-only disk, a file system that cannot do it. */
const LASTING = ['EACCES', 'EPERM', 'EROFS', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP']

/** Whether the person must fix something before the same works. */
export function isLasting(error: unknown): boolean {
  return LASTING.includes(errnoOf(error) ?? '')
}

/** A part of the program that is not there any more, or is another build's (scripts/parts.mjs). */
const PARTS_LOST = ['MODULE_NOT_FOUND', 'OTHER_BUILD']

/** Any error as one of ours. What we did not foresee is named without its text, which may hold anything. */
export function toCodedError(error: unknown): CodedError {
  if (error instanceof CodedError) return error
  const errno = errnoOf(error)
  const path = (error as NodeJS.ErrnoException | null)?.path
  if (errno && /^E[A-Z]+$/.test(errno)) {
    const where = typeof path === 'string' ? path : say`A file`
    const code = isLasting(error) ? 'config_invalid' : 'store_not_writable'
    return new CodedError(code, say`${where} cannot be used (${errno}).`, {
      nextStep: say`Fix that, then try again; nothing was lost.`,
      cause: error,
    })
  }
  if (errno && PARTS_LOST.includes(errno)) {
    return new CodedError('config_invalid', say`feishu-token-mcp was updated or removed while it ran.`, {
      nextStep: say`Restart it: a client does so with a new session.`,
      cause: error,
    })
  }
  const name = error instanceof Error ? error.name : typeof error
  return new CodedError('unexpected_response', say`feishu-token-mcp met an error of its own (${name}).`, {
    nextStep: say`Try again; if that does not help, set FEISHU_LOG_LEVEL=debug and report what is on stderr.`,
    cause: error,
  })
}
