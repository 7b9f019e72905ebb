// What kind of answer came from the token endpoint.

import type { CodedError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import type { Endpoints } from './feishu.ts'
import type { Verdict } from './feishu-errors.ts'
import type { TokenResponse } from './token-response.ts'

export type TokenAnswer =
  | { kind: 'tokens'; response: TokenResponse; logId: string | null }
  | { kind: 'error'; verdict: Verdict; error: CodedError; retryAfterMs: number | null }
  /** A refusal (4xx) that is not Feishu's: of a wrong address or a proxy, or put in the place of Feishu's answer. */
  | { kind: 'foreign'; error: CodedError; status: number }
  /** Sent, and no whole and valid answer: the refresh token may or may not be spent. `status` null: no answer at all. */
  | { kind: 'ambiguous'; error: CodedError; status: number | null }
  /** Nothing was sent. */
  | { kind: 'unsent'; error: CodedError }

/** What the texts of an error need to know of the app. */
export type AnswerContext = {
  endpoints: Endpoints
  appId: string
  scopes: readonly string[]
  now: number
  /** Must not appear in a text of Feishu's that is shown. */
  secrets: readonly Secret[]
}
