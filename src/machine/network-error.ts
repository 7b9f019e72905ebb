// What went wrong between us and a host, in words that name what to set.

import { CodedError, errnoOf, THEN_TRY_AGAIN } from '../errors.ts'
import { say } from '../sentence.ts'

const TLS_ERRNO = /CERT|SELF_SIGNED|UNABLE_TO|ERR_TLS|ERR_SSL|EPROTO|HOSTNAME_MISMATCH/

/** What went wrong below HTTP, in words that name the variable to set. */
export function networkError(error: unknown, host: string): CodedError {
  const cause = (error as Error | null)?.cause ?? error
  const errno = errnoOf(cause) ?? errnoOf(error)
  const message = String((error as Error | null)?.message ?? '')
  if (errno && TLS_ERRNO.test(errno)) {
    return new CodedError('tls_error', say`There is no trusted TLS connection to ${host} (${errno}).`, {
      nextStep: say`Behind a proxy that inspects TLS, set NODE_EXTRA_CA_CERTS to the file with its certificate authority;
          otherwise check the clock and the host name.`,
    })
  }
  const proxyStatus = /Proxy response \((\d+)\)/.exec(message)?.[1]
  if (proxyStatus) {
    const why = proxyStatus === '407' ? say`asks for a user name and password` : say`answered ${proxyStatus}`
    return new CodedError('network_error', say`The proxy ${why}; ${host} was not reached.`, {
      nextStep: say`Set HTTPS_PROXY to http://USER:PASSWORD@HOST:PORT, or exempt the host with NO_PROXY.`,
    })
  }
  return new CodedError(
    'network_error',
    say`${host} could not be reached (${errno ?? say`unknown error`}).`,
    {
      nextStep: say`Check the network, and HTTPS_PROXY if a proxy is needed${THEN_TRY_AGAIN}.`,
    },
  )
}

export function timeoutError(host: string, deadlineMs: number): CodedError {
  return new CodedError(
    'network_error',
    say`${host} did not answer within ${Math.round(deadlineMs / 1000)} s.`,
    {
      nextStep: say`Check the network${THEN_TRY_AGAIN}.`,
    },
  )
}

export function tooLarge(host: string, maxBytes: number): CodedError {
  return new CodedError('unexpected_response', say`${host} sent more than ${maxBytes} bytes.`, {
    nextStep: say`Check FEISHU_OPEN_URL, and whether a proxy answers in place of Feishu.`,
  })
}
