import type { Fault } from './faults.ts'

/** 429 as Feishu's gateway sends it; each header only where a value is given. */
export function rateLimited(
  headers: { reset?: string; limit?: string; retryAfter?: string } = { reset: '7', limit: '1000' },
): Fault {
  const given = {
    'x-ogw-ratelimit-reset': headers.reset,
    'x-ogw-ratelimit-limit': headers.limit,
    'retry-after': headers.retryAfter,
  }
  const present = Object.entries(given).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return {
    kind: 'answer',
    status: 429,
    headers: { 'content-type': 'application/json; charset=utf-8', ...Object.fromEntries(present) },
    body: '{"code":99991400,"msg":"request trigger frequency limit"}',
  }
}

/** 21000: the security policy wants the person to complete a challenge. */
export function challenge(url: string): Fault {
  return {
    kind: 'error',
    code: 21000,
    fields: { challenge_url: url, cli_hint: 'Complete the security challenge, then try again.' },
  }
}

/** What a captive portal, a gateway or an SSO page puts in front of Feishu. */
export function htmlPage(status: 200 | 502 | 503 | 504 = 200): Fault {
  return {
    kind: 'answer',
    status,
    headers: { 'content-type': 'text/html' },
    body: `<html><head><title>${status}</title></head><body><h1>Please sign in to the network</h1></body></html>`,
  }
}

/** A redirect that must not be followed. */
export function redirectTo(location: string, status: 301 | 302 | 303 | 307 | 308 = 307): Fault {
  return { kind: 'answer', status, headers: { location } }
}

/** The gateway's answer to a wrong path. */
export function plainNotFound(): Fault {
  return {
    kind: 'answer',
    status: 404,
    headers: { 'content-type': 'text/plain' },
    body: '404 page not found',
  }
}

/** A success without a body. */
export function emptyAnswer(status: 200 | 204 | 205 = 200, processed = false): Fault {
  return { kind: 'answer', status, body: '', processed }
}
