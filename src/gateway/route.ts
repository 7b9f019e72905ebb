import type { IncomingHttpHeaders } from 'node:http'
import type { Refusal } from './refusal.ts'
import type { Headers } from './rewrite.ts'

/** Where a request goes, and as what. */
export type Route = {
  /** Requests go nowhere else. */
  origin: string
  /** The path and query there. */
  path: string
  takesToken: boolean
  /** The headers there; null: without a token. */
  headers: (accessToken: string | null) => Headers
  /** How the other side refuses a token. */
  refusals: Refusals
  /** For an answer that goes on until somebody ends it: whether it still may. */
  stays?: () => boolean
}

/** How one kind of server refuses a token. No other answer is ever kept back. */
export type Refusals = {
  /** Whether an answer may be a refusal, so that it must be read before it is handed on. */
  mayBe: (status: number, headers: IncomingHttpHeaders, path: string) => boolean
  /** Whether what has come so far of an answer says already that it is none. */
  isNone: (headers: IncomingHttpHeaders, begun: Buffer) => boolean
  /** The refusal in a whole answer; null: it says something else. */
  read: (status: number, headers: IncomingHttpHeaders, body: Buffer) => Promise<Refusal | null>
}
