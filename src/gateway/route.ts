// Where a request goes, and as what.

import type { Refusals } from './refusal.ts'
import type { OutgoingHeaders } from './rewrite.ts'

/** Where a request goes, and as what. */
export type Route = {
  /** Requests go nowhere else. */
  origin: string
  /** The path and query there. */
  path: string
  takesToken: boolean
  /** The headers there; null: without a token. */
  headers: (accessToken: string | null) => OutgoingHeaders
  /** How the other side refuses a token. */
  refusals: Refusals
  /** For an answer that goes on until someone ends it: whether it still may. */
  stays?: () => boolean
}
