// What a script left behind, as a token set: its own file, or Feishu's answer as it came. Nothing is believed that is
// not surely said: a token whose end is not known is due, because the file may have been copied yesterday.

import { ASSUMED_LIFETIME_MS, MAX_LIFETIME_MS, scopesOf, TOKEN } from '../oauth/token-response.ts'
import type { TokenSet } from '../oauth/token-set.ts'
import { Secret } from '../secret.ts'
import { type Sentence, say } from '../sentence.ts'

/** What Feishu's documents name for a refresh token. */
const REFRESH_TOKEN_MS = 604_800_000
/** Ten years: a refresh token that is to live longer says nothing of its end. */
const MAX_REFRESH_TOKEN_MS = 3_650 * 86_400_000
/** Below this a number is in seconds, above in milliseconds (both near the present). */
const SECONDS_LIMIT = 100_000_000_000
/** An instant is one between 2010 and 2100: numbers outside say something else. */
const EARLIEST = 1_262_304_000_000
const LATEST = 4_102_444_800_000
/** As long as the clocks of two machines may differ. */
const TOLERANCE_MS = 60_000
/** Levels of objects in which tokens are looked for. */
const MAX_DEPTH = 6
/** Places that are named, and how much of each. */
const SHOWN = 3
const SHOWN_CHARS = 40

const ACCESS = ['access_token', 'user_access_token']
const REFRESH = ['refresh_token', 'user_refresh_token']
const BEGIN = ['obtained_at', 'created_at', 'issued_at', 'fetched_at', 'create_time', 'token_time']
const END = [
  'expires_at',
  'expire_at',
  'expire_time',
  'expires_time',
  'expires_on',
  'expiry',
  'access_token_expires_at',
]
const LIFE = ['expires_in', 'expire_in', 'expire', 'access_token_expires_in']
const REFRESH_END = ['refresh_token_expires_at', 'refresh_expires_at', 'refresh_token_expire_time']
const REFRESH_LIFE = ['refresh_token_expires_in', 'refresh_expires_in']

/** RFC 3339, or the same with a blank, and always with a zone: a time without one is no one's time. */
const ZONED = /^(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?) ?(Z|UTC|[+-]\d{2}:?\d{2})$/i
/** A token by its looks, where it stands under no known name. */
const TOKEN_SHAPE = /\b(?:eyJ[\w-]{8,}\.|ur?-[\w.~+/-]{16,})/

type Fields = Readonly<Record<string, unknown>>
/** An object that holds a token: the way to it, and its fields with those of the objects around it. */
type TokenObject = { way: string[]; fields: Fields }

/** Why a text is not imported; it says nothing of what is in it but where. */
export type Unusable = { why: Sentence }

function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}

const snakeCase = (name: string) => name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase()

/** The first field of these names that holds anything. */
function pick(fields: Fields, names: readonly string[]): unknown {
  const name = names.find(
    (each) => Object.hasOwn(fields, each) && fields[each] !== null && fields[each] !== '',
  )
  return name === undefined ? undefined : fields[name]
}

/** Every object that holds a token by its name. */
function findTokenObjects(value: unknown, way: string[], around: Fields): TokenObject[] {
  if (!isObject(value) || way.length > MAX_DEPTH) return []
  const own = Object.entries(value).map(([name, inner]) => [snakeCase(name), inner] as const)
  // An object's own fields are not those of the objects in it, but a time beside an answer is the answer's.
  const plain = own.filter(([, inner]) => !isObject(inner) || Array.isArray(inner))
  const fields: Fields = { ...around, ...Object.fromEntries(plain) }
  if (pick(Object.fromEntries(plain), [...ACCESS, ...REFRESH]) !== undefined) return [{ way, fields }]
  const { access_token: _access, refresh_token: _refresh, ...rest } = fields
  return Object.entries(value).flatMap(([name, inner]) => findTokenObjects(inner, [...way, name], rest))
}

/** Where a text that is a token by its looks stands; null: nowhere. */
function findShape(value: unknown, way: string[]): string[] | null {
  if (typeof value === 'string') return TOKEN_SHAPE.test(value) ? way : null
  if (!isObject(value) || way.length > MAX_DEPTH) return null
  for (const [name, inner] of Object.entries(value)) {
    const found = findShape(inner, [...way, name])
    if (found) return found
  }
  return null
}

/** Names may hold anything: they are shown short, and not where they look like a token. */
function showWay(way: readonly string[]): string {
  return way.map((name) => (TOKEN_SHAPE.test(name) ? '…' : name.slice(0, SHOWN_CHARS))).join(' › ')
}

function numberOf(value: unknown): number | null {
  const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d+(?:\.\d+)?$/.test(value))
  const number = isNumber ? Number(value) : Number.NaN
  return Number.isFinite(number) && number > 0 ? number : null
}

/** RFC 3339 with a zone, seconds or milliseconds since 1970; null: not surely an instant. */
function instant(value: unknown): number | null {
  const number = numberOf(value)
  const [, date, time, zone = ''] = typeof value === 'string' ? (ZONED.exec(value.trim()) ?? []) : []
  const offset = /^(?:Z|UTC)$/i.test(zone) ? 'Z' : zone.replace(/^([+-]\d{2}):?/, '$1:')
  const written = date ? Date.parse(`${date}T${time}${offset}`) : Number.NaN
  const at = number === null ? written : Math.round(number < SECONDS_LIMIT ? number * 1000 : number)
  return at >= EARLIEST && at <= LATEST ? at : null
}

/** When something ends: as said, or a life time after its beginning; null: it is not said. */
function endOf(fields: Fields, ends: string[], lives: string[], begin: number | null): number | null {
  for (const name of ends) {
    const at = instant(fields[name])
    if (at !== null) return at
  }
  const life = pick(fields, lives)
  // Some scripts write the end where the life time belongs.
  const absolute = instant(life)
  if (absolute !== null) return absolute
  const seconds = numberOf(life)
  return begin !== null && seconds !== null ? begin + seconds * 1000 : null
}

function refreshEnd(fields: Fields, begin: number | null, now: number): number | null {
  const end = endOf(fields, REFRESH_END, REFRESH_LIFE, begin)
  if (end === null) return begin === null ? null : begin + REFRESH_TOKEN_MS
  return end - now > MAX_REFRESH_TOKEN_MS ? null : end
}

function secretOf(fields: Fields, names: readonly string[]): Secret | null | Unusable {
  const value = pick(fields, names)
  if (value === undefined) return null
  if (typeof value === 'string' && TOKEN.test(value)) return new Secret(value)
  return { why: say`has something as ${names.find((name) => fields[name] === value) ?? ''} that is no token` }
}

function scopesIn({ scope, scopes }: Fields): string[] {
  const listed = scope ?? scopes
  return scopesOf(Array.isArray(listed) ? listed.join(' ') : listed) ?? []
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    return undefined
  }
}

/** The one object that holds tokens. */
function findTokenObject(text: string): TokenObject | Unusable {
  const json = parse(text)
  if (json === undefined) {
    const line = text.split('\n').findIndex((each) => TOKEN_SHAPE.test(each)) + 1
    return {
      why: line > 0 ? say`is not JSON; what looks like a token is on line ${line}` : say`is not JSON`,
    }
  }
  const objects = findTokenObjects(json, [], {})
  const [object] = objects
  if (objects.length > 1) {
    const places = objects.slice(0, SHOWN).map(({ way }) => showWay(way))
    return { why: say`holds several tokens (${places.join(', ')}): leave one of them in it` }
  }
  if (object) return object
  const shape = findShape(json, [])
  if (shape && shape.length > 0) {
    return {
      why: say`holds neither access_token nor refresh_token; what looks like a token is under ${showWay(shape)}`,
    }
  }
  return {
    why:
      isObject(json) && !Array.isArray(json)
        ? say`holds neither access_token nor refresh_token`
        : say`is not a JSON object`,
  }
}

/** Reads a token set from what a script left behind. */
export function readImportedToken(text: string, now: number): TokenSet | Unusable {
  const object = findTokenObject(text)
  if ('why' in object) return object
  const { fields } = object
  const accessToken = secretOf(fields, ACCESS)
  const refreshToken = secretOf(fields, REFRESH)
  if (accessToken && 'why' in accessToken) return accessToken
  if (refreshToken && 'why' in refreshToken) return refreshToken
  const said = instant(pick(fields, BEGIN))
  const begin = said !== null && said <= now + TOLERANCE_MS ? said : null
  const end = endOf(fields, END, LIFE, begin)
  // No access token lives longer than a day: then, as where nothing is said, its end is not known, and a refresh
  // settles it.
  const expiresAt = end === null || end - now > MAX_LIFETIME_MS ? 0 : end
  const scopes = scopesIn(fields)
  return {
    accessToken,
    accessTokenExpiresAt: expiresAt,
    accessTokenLifetimeMs: Math.min(Math.max(expiresAt - now, ASSUMED_LIFETIME_MS), MAX_LIFETIME_MS),
    refreshToken,
    refreshTokenExpiresAt: refreshToken && refreshEnd(fields, begin, now),
    refreshTokenDoubtful: false,
    refusal: null,
    scopes,
    requestedScopes: scopes,
    user: null,
    // When a person approved it, no one says: it was refreshed who knows how often since.
    authorizedAt: 0,
    issuedAt: begin ?? now,
    refreshedAt: null,
    endpoint: 'v2',
    authorizationId: null,
    lifetimeAssumed: false,
    clockSkewMs: null,
  }
}
