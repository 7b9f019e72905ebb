// Takes over the token.json of the script that people used before. Sends nothing.

import { statSync } from 'node:fs'
import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errnoOf } from '../errors.ts'
import { readForeignFile } from '../machine/foreign-file.ts'
import type { TokenRecord, TokenSet } from '../oauth/token-set.ts'
import { Secret } from '../secret.ts'
import { LOCK_MS } from '../store/token-store.ts'

/** Two tokens of 4 KB and a list of scopes, many times over. */
const MAX_BYTES = 1_048_576
/** What Feishu's documents name, for a file that does not say. */
const ACCESS_TOKEN_MS = 7_200_000
/** As for Feishu's own answers: no more than a day is believed. */
const MAX_ACCESS_TOKEN_MS = 86_400_000
const TOKEN = /^[\x21-\x7e]{1,16384}$/
/** Below this a number is in seconds, above in milliseconds (both near the present). */
const SECONDS_LIMIT = 100_000_000_000

function malformed(path: string, why: string): CodedError {
  return new CodedError('config_invalid', `${path} ${why}.`, {
    nextStep:
      'Give the token.json that the old script wrote: JSON with access_token, refresh_token and expires_at.',
  })
}

function read(path: string): { json: Record<string, unknown>; writtenAt: number } {
  let text: string
  let writtenAt: number
  try {
    writtenAt = statSync(path).mtimeMs
    text = readForeignFile(path, MAX_BYTES)
  } catch (error) {
    throw malformed(path, `cannot be read (${errnoOf(error) ?? 'unknown error'})`)
  }
  let json: unknown
  try {
    json = JSON.parse(text.replace(/^\uFEFF/, ''))
  } catch {
    throw malformed(path, 'is not JSON')
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json))
    throw malformed(path, 'is not a JSON object')
  return { json: json as Record<string, unknown>, writtenAt }
}

/** RFC 3339, seconds or milliseconds since 1970; null: not such a value. */
function instant(value: unknown): number | null {
  if (typeof value === 'string' && !/^\d+(\.\d+)?$/.test(value)) {
    // Date.parse takes almost anything for a date.
    const at = /^\d{4}-\d{2}-\d{2}/.test(value) ? Date.parse(value) : Number.NaN
    return Number.isNaN(at) ? null : at
  }
  const number = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN
  if (!Number.isFinite(number) || number <= 0) return null
  return Math.round(number < SECONDS_LIMIT ? number * 1000 : number)
}

function expiry(
  json: Record<string, unknown>,
  atNames: string[],
  inNames: string[],
  writtenAt: number,
): number | null {
  for (const name of atNames) {
    const at = instant(json[name])
    if (at !== null) return at
  }
  for (const name of inNames) {
    const value = json[name]
    const seconds = typeof value === 'number' || typeof value === 'string' ? Number(value) : Number.NaN
    if (Number.isFinite(seconds) && seconds > 0) return writtenAt + seconds * 1000
  }
  return null
}

function token(json: Record<string, unknown>, name: string, path: string): Secret | null {
  const value = json[name]
  if (value === undefined || value === null || value === '') return null
  if (typeof value === 'string' && TOKEN.test(value)) return new Secret(value)
  throw malformed(path, `has something as ${name} that is no token`)
}

function toTokenSet(path: string, now: number): TokenSet {
  const { json, writtenAt } = read(path)
  const accessToken = token(json, 'access_token', path)
  const refreshToken = token(json, 'refresh_token', path)
  if (!accessToken && !refreshToken) throw malformed(path, 'holds neither access_token nor refresh_token')
  const saidAt = expiry(json, ['expires_at'], ['expires_in'], writtenAt) ?? writtenAt + ACCESS_TOKEN_MS
  // No access token lives that long: nothing is known but that a refresh settles it.
  const expiresAt = saidAt - now > MAX_ACCESS_TOKEN_MS ? now : saidAt
  const listed = Array.isArray(json.scope) ? json.scope.join(' ') : json.scope
  const scope = typeof listed === 'string' ? listed.split(/[\s,]+/) : []
  const scopes = scope.filter((name) => /^[\w.:-]{1,128}$/.test(name))
  return {
    accessToken,
    accessTokenExpiresAt: expiresAt,
    // The file does not say when it was issued: what is left of it, or two hours.
    accessTokenLifetimeMs: Math.min(Math.max(expiresAt - now, ACCESS_TOKEN_MS), MAX_ACCESS_TOKEN_MS),
    refreshToken,
    refreshTokenExpiresAt: expiry(
      json,
      ['refresh_token_expires_at', 'refresh_expires_at'],
      ['refresh_token_expires_in', 'refresh_expires_in'],
      writtenAt,
    ),
    refreshTokenDoubtful: false,
    refusal: null,
    scopes,
    requestedScopes: scopes,
    user: null,
    authorizedAt: Math.min(writtenAt, now),
    issuedAt: Math.min(writtenAt, now),
    refreshedAt: null,
    endpoint: 'v2',
    authorizationId: null,
    lifetimeAssumed: false,
    clockSkewMs: null,
  }
}

/** Stores what `path` holds as the profile's token set; an existing one is replaced only with `force`. */
export async function importTokens(
  deps: Deps,
  options: { profile: string; path: string; force: boolean },
): Promise<TokenRecord> {
  const app = await resolveApp(deps, options.profile)
  const tokenSet = toTokenSet(options.path, deps.clock.now())
  const record = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const stored = await locked.read()
    if (stored.tokenSet && !options.force) {
      throw new CodedError(
        'config_invalid',
        `Profile "${options.profile}" has a token set already; nothing was imported.`,
        {
          nextStep: 'Use --force to replace it, or another --profile.',
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
  throw new CodedError('store_not_writable', `The token set of ${options.path} was not imported.`, {
    nextStep: `Make room or mend the permissions of ${deps.config.tokenDir}, then import it again.`,
  })
}
