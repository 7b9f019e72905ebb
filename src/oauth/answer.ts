// What can be read from any answer of Feishu's, whatever was asked.

export type Json = Record<string, unknown>

/** The body as a JSON object, with or without a byte order mark; null when it is none. */
export function parseObject(body: Buffer): Json | null {
  try {
    const json: unknown = JSON.parse(body.toString('utf8').replace(/^\uFEFF/, ''))
    return typeof json === 'object' && !Array.isArray(json) ? (json as Json | null) : null
  } catch {
    return null
  }
}

/** Feishu's `code`: a number, or digits in a string (Lark's documents show `"code": "0"`); null = none. */
export function feishuCodeOf(json: Json | null): number | null {
  const value = json?.code
  if (typeof value === 'string' && /^\d{1,9}$/.test(value)) return Number(value)
  return typeof value === 'number' ? value : null
}

/** Feishu's log id, if it looks like one. */
export function logIdOf(headers: Record<string, string>): string | null {
  const id = headers['x-tt-logid']
  return id && /^[\w-]{1,64}$/.test(id) ? id : null
}

/** A date as HTTP writes it (RFC 9110 §5.6.7); `Date.parse` alone takes almost anything for one. */
const HTTP_DATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/

/** The instant that a header names; null = it names none. */
export function httpDate(value: string | undefined): number | null {
  const at = HTTP_DATE.test(value ?? '') ? Date.parse(value ?? '') : Number.NaN
  return Number.isNaN(at) ? null : at
}

/** How long to wait: `x-ogw-ratelimit-reset`, then `Retry-After` in seconds or as a date; null = not said. */
export function retryAfterMs(headers: Record<string, string>, now: number): number | null {
  for (const name of ['x-ogw-ratelimit-reset', 'retry-after']) {
    const value = headers[name]?.trim()
    if (value && /^\d{1,9}(\.\d{1,9})?$/.test(value)) return Number(value) * 1000
    const at = httpDate(value)
    // The server means its own clock, if it shows it.
    if (at !== null) return Math.max(0, at - (httpDate(headers.date) ?? now))
  }
  return null
}
