// The proxy that the environment names, written there for any program: curl's habits count, not ours.

import { CodedError } from '../errors.ts'
import type { Secret } from '../secret.ts'
import { say } from '../sentence.ts'

/** Variables of other programs that decide whether Feishu can be reached. */
export const HANDED_ON: readonly string[] = [
  'HTTPS_PROXY',
  'https_proxy',
  'ALL_PROXY',
  'all_proxy',
  'NO_PROXY',
  'no_proxy',
  'NODE_EXTRA_CA_CERTS',
]

/** As the variables have them. */
export type ProxySettings = {
  /** `HTTPS_PROXY` or `ALL_PROXY`; null: none is set. */
  proxy: Secret | null
  noProxy: string | null
}

/** A percent sign that begins no escape: someone wrote a password as it is. */
const BARE_PERCENT = /%(?![0-9A-Fa-f]{2})/g

/** The proxy's address for the HTTP client, or why it cannot be used. A value without a scheme is http. */
export function proxyAddress(proxy: Secret): string | CodedError {
  const text = proxy.reveal().replace(BARE_PERCENT, '%25')
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text) ? text : `http://${text}`
  const scheme = URL.canParse(url) ? new URL(url).protocol : null
  if (scheme === 'http:' || scheme === 'https:') return url
  if (scheme?.startsWith('socks')) {
    return new CodedError(
      'config_invalid',
      say`HTTPS_PROXY or ALL_PROXY names a socks proxy; socks is not supported.`,
      {
        nextStep: say`Write http:// in place of the scheme: most such proxies also speak http on the same port.`,
      },
    )
  }
  return new CodedError('config_invalid', say`HTTPS_PROXY or ALL_PROXY names no address of a proxy.`, {
    nextStep: say`Set HTTPS_PROXY to an address such as http://proxy.example:8080, or remove it.`,
  })
}

/** `NO_PROXY` with commas: people and programs also write semicolons, and `*` among other entries. */
export function noProxyList(noProxy: string | null): string {
  const entries = (noProxy ?? '').split(/[,;\s]+/).filter(Boolean)
  return entries.includes('*') ? '*' : entries.join(',')
}
