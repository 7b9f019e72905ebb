// The request function that this room is handed, and what goes in and out of it.

import type { CodedError } from '../errors.ts'
import type { Secret } from '../secret.ts'

/** A request as the transport takes it. */
export type HttpRequest = {
  method: 'GET' | 'POST'
  url: string
  headers: Record<string, string>
  body: string | null
  /** Overall time limit, from the call to the last byte. */
  deadlineMs: number
  /** Called just before the first byte goes out; if it throws, nothing is sent. */
  onSend?: () => void
  /** Whose request it is, for the record of calls. */
  account: { key: string; forced: boolean } | null
}

/** What came back: a whole answer, or why there is none, and whether the bytes of a request with a body had gone out. */
export type HttpAnswer =
  | { kind: 'answer'; status: number; headers: Record<string, string>; body: Buffer }
  | { kind: 'failure'; sent: boolean; partialBody: Buffer; error: CodedError }

/** The request function. It never throws, follows no redirect and repeats nothing. */
export type Request = (request: HttpRequest) => Promise<HttpAnswer>

export type ClientCredentials = { appId: string; appSecret: Secret }

export type RequestOptions = Pick<HttpRequest, 'deadlineMs' | 'onSend' | 'account'>
