// What the fields of a `token.json` mean, and how each is written again in the form in which it was found: scripts read
// it back with `int()`, `strptime` or a comparison, and each takes one form alone.

/** The token and what a `token.json` says about it. */
export type TokenContent = {
  accessToken: string
  accessTokenExpiresAt: number
  scopes: readonly string[]
  now: number
}

/** Numbers below this are seconds, above it milliseconds: it is the year 5138 in the one and 1973 in the other. */
const SECONDS_BELOW = 100_000_000_000
/** A life time above this is an instant: it is 2001 in the one and 31 years in the other. */
const INSTANT_ABOVE = 1_000_000_000

/** Fields by their meaning, in snake_case; camelCase means the same. */
const MEANING: Readonly<Record<string, 'end' | 'life' | 'begin' | 'scope' | 'type'>> = {
  expires_at: 'end',
  expire_at: 'end',
  expired_at: 'end',
  expires_on: 'end',
  expires: 'end',
  expire_time: 'end',
  expires_time: 'end',
  expiry: 'end',
  expiry_time: 'end',
  expiration: 'end',
  expiration_time: 'end',
  access_token_expires_at: 'end',
  expires_in: 'life',
  expire_in: 'life',
  expire: 'life',
  access_token_expires_in: 'life',
  obtained_at: 'begin',
  created_at: 'begin',
  create_time: 'begin',
  issued_at: 'begin',
  fetched_at: 'begin',
  refreshed_at: 'begin',
  saved_at: 'begin',
  updated_at: 'begin',
  update_time: 'begin',
  timestamp: 'begin',
  scope: 'scope',
  scopes: 'scope',
  token_type: 'type',
}

const DATE_TIME =
  /^(\d{4})([-/])(\d{2})\2(\d{2})([T ])(\d{2}):(\d{2})(:\d{2})?(\.\d{1,9})?( ?(?:Z|UTC|GMT|[+-]\d{2}:?\d{2}))?$/

/** The fields of a new file. `+00:00`, because Python before 3.11 does not read `Z`. */
export function newFields(content: TokenContent): Record<string, string | number> {
  return {
    access_token: content.accessToken,
    token_type: 'Bearer',
    expires_in: lifeOf(content),
    expires_at: formatUtc(content.accessTokenExpiresAt),
    scope: content.scopes.join(' '),
  }
}

function lifeOf({ accessTokenExpiresAt, now }: TokenContent): number {
  return Math.max(0, Math.floor((accessTokenExpiresAt - now) / 1000))
}

function formatUtc(at: number): string {
  return new Date(at).toISOString().replace(/\.\d+Z$/, '+00:00')
}

/** An instant as the number that `before` was: seconds or milliseconds, whole or not. */
function numberLike(before: string, at: number): string {
  const isSeconds = Number(before) < SECONDS_BELOW
  return `${isSeconds ? Math.floor(at / 1000) : at}${before.includes('.') ? '.0' : ''}`
}

/** An instant as the text that `before` was; null where its form, or the zone that it is in, is not known. */
function dateLike(before: string, at: number): string | null {
  const [, , mark, , , gap, , , seconds, fraction, zone] = DATE_TIME.exec(before) ?? []
  if (mark === undefined || gap === undefined) return null
  // A time without a zone is in that of whoever reads it: where ours is UTC, so is theirs as far as we know.
  if (zone === undefined && new Date(at).getTimezoneOffset() !== 0) return null
  const [, sign, hours = '0', minutes = '0'] = /([+-])(\d{2}):?(\d{2})/.exec(zone ?? '') ?? []
  const offset = (Number(hours) * 60 + Number(minutes)) * (sign === '-' ? -60_000 : 60_000)
  const [date = '', time = ''] = new Date(at + offset).toISOString().split('T')
  const clock = seconds === undefined ? time.slice(0, 5) : time.slice(0, 8)
  const rest = fraction === undefined ? '' : `.${'0'.repeat(fraction.length - 1)}`
  return `${date.replaceAll('-', mark)}${gap}${clock}${rest}${zone ?? ''}`
}

const isDigits = (value: unknown): value is string => typeof value === 'string' && /^\d+(\.\d+)?$/.test(value)

/** The JSON of an instant in the form of the value before; null where that form is not known. */
function instantLike(before: unknown, raw: string, at: number): string | null {
  if (typeof before === 'number') return numberLike(raw, at)
  if (isDigits(before)) return JSON.stringify(numberLike(before, at))
  if (before === null || before === '') return JSON.stringify(formatUtc(at))
  const date = typeof before === 'string' ? dateLike(before, at) : null
  return date === null ? null : JSON.stringify(date)
}

function lifeLike(before: unknown, raw: string, content: TokenContent): string | null {
  const number = Number(before)
  if (number > INSTANT_ABOVE) return instantLike(before, raw, content.accessTokenExpiresAt)
  if (typeof before === 'number' || before === null) return String(lifeOf(content))
  return isDigits(before) ? JSON.stringify(String(lifeOf(content))) : null
}

function scopeLike(before: unknown, scopes: readonly string[]): string | null {
  if (Array.isArray(before)) return JSON.stringify(scopes)
  if (typeof before !== 'string') return before === null ? JSON.stringify(scopes.join(' ')) : null
  return JSON.stringify(scopes.join(/,/.test(before) ? (/, /.test(before) ? ', ' : ',') : ' '))
}

/**
 * The JSON that takes a field's place, in the form of what stands there; `raw` is that value's text. Undefined: the
 * field says nothing of the token. Null: it does, in a form that we cannot write.
 */
export function fieldLike(
  name: string,
  before: unknown,
  raw: string,
  content: TokenContent,
): string | null | undefined {
  const key = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`).replace(/^_/, '')
  const meaning = Object.hasOwn(MEANING, key) ? MEANING[key] : undefined
  if (meaning === 'end') return instantLike(before, raw, content.accessTokenExpiresAt)
  if (meaning === 'begin') return instantLike(before, raw, content.now)
  if (meaning === 'life') return lifeLike(before, raw, content)
  if (meaning === 'scope') return scopeLike(before, content.scopes)
  if (meaning === 'type') return /^bearer$/i.test(String(before)) ? raw : '"Bearer"'
  // Whatever else tells of an end would go on telling of the old one.
  return /expir/.test(key) && !key.includes('refresh') && before !== null ? null : undefined
}
