// How instants and durations are told.

/** An instant as RFC 3339 in UTC; null stays null. */
export function toTime(at: number | null): string | null {
  // The largest date there is: a nonsensical expiry must not throw.
  return at === null ? null : new Date(Math.min(at, 8.64e15)).toISOString()
}

/** A duration in whole seconds, never negative; null stays null. */
export function toSeconds(ms: number | null): number | null {
  return ms === null ? null : Math.max(0, Math.floor(ms / 1000))
}
