// What a gateway answers when it cannot hand on.

import type { ServerResponse } from 'node:http'
import { CodedError } from '../errors.ts'

/** What the gateway itself answers, in Feishu's shape. `reason` is a stable word, or an CodedError's code. */
export type Fault = {
  status: number
  reason: string
  message: string
  /** One sentence: what the program or the person can do. */
  nextStep: string
  feishuCode?: number | null
  logId?: string | null
}

/**
 * The gateway's own codes are this number plus the HTTP status, stable and unlike Feishu's (99991xxx and shorter ones):
 * 90000400 malformed, 90000401 no valid credential, 90000403 from a page, 90000404 no such path, 90000408 upload stalled,
 * 90000501 not supported, 90000502 open host unreachable, 90000503 send it again, 90000504 open host too slow.
 */
const CODE_BASE = 90_000_000

/** A 503 says that the same request will do soon; a second is about what a renewal takes. */
const RETRY_AFTER_SECONDS = 1

/** Sends the fault as a whole answer. `close`: nothing more can be read from this connection. */
export function sendFault(res: ServerResponse, fault: Fault, close = false): void {
  const { status, reason, message, nextStep, feishuCode = null, logId = null } = fault
  const text = JSON.stringify({
    code: CODE_BASE + status,
    msg: `${message} ${nextStep}`,
    error: { reason, next_step: nextStep, feishu_code: feishuCode, log_id: logId },
  })
  if (status === 503) res.setHeader('retry-after', RETRY_AFTER_SECONDS)
  if (close) res.setHeader('connection', 'close')
  res.writeHead(status, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-store',
  })
  res.end(text)
}

/** Why there is no access token: 401 when a person must act, 503 when it passes by itself. */
export function tokenFault(error: unknown): Fault {
  if (!(error instanceof CodedError)) {
    return {
      status: 503,
      reason: 'internal_error',
      message: 'The gateway failed before it sent the request.',
      nextStep: 'Send it again; if that fails, too, restart the program.',
    }
  }
  const { code, recovery, message, nextStep, feishuCode, logId } = error
  const status = recovery === 'retry' || recovery === 'wait' ? 503 : 401
  return { status, reason: code, message, nextStep, feishuCode, logId }
}

/** Why the open host gave no whole answer. Only the error's code is told: its text may quote what was sent. */
export function networkFault(openUrl: string, error: Error): Fault {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name
  if (code === 'UND_ERR_INVALID_ARG' || code === 'UND_ERR_NOT_SUPPORTED') {
    return {
      status: 400,
      reason: 'request_malformed',
      message: 'The path or a header of the request is malformed.',
      nextStep: 'Correct the request and send it again.',
    }
  }
  const slow = code.includes('TIMEOUT') || code === 'ETIMEDOUT'
  return {
    status: slow ? 504 : 502,
    reason: 'network_error',
    message: `${openUrl} ${slow ? 'did not answer in time' : 'could not be reached or broke off'} (${code}).`,
    nextStep: 'Check the network, HTTPS_PROXY and NODE_EXTRA_CA_CERTS, then send the request again.',
  }
}
