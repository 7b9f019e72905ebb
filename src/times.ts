// How instants and durations are told.

/** The last instant that RFC 3339 can tell: its years have four digits. */
const LAST_AT = Date.parse('9999-12-31T23:59:59.999Z')

/** An instant as RFC 3339 in UTC; null stays null, and a nonsensical expiry is the nearest that can be told. */
export function toTime(at: number | null): string | null {
  return at === null ? null : new Date(Math.min(Math.max(at, 0), LAST_AT)).toISOString()
}

/** A duration in whole seconds, never negative; null stays null. */
export function toSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.max(0, Math.floor(ms / 1000))
}
