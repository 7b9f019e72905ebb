// What is peculiar to Feishu and Lark: hosts, paths, console pages, and texts that come from there.

/** The addresses in force for one app. */
export type Endpoints = {
  brand: 'feishu' | 'lark'
  authorize: string
  token: { v2: string; v3: string }
  userInfo: string
  revoke: string
  deviceAuthorization: string
  /** Origin of the open API, for console links and the gateway; without a slash at its end. */
  open: string
  /** Origin of the accounts host. */
  accounts: string
}

const HOSTS = {
  feishu: { site: 'feishu.cn', accounts: 'https://accounts.feishu.cn', open: 'https://open.feishu.cn' },
  lark: {
    site: 'larksuite.com',
    accounts: 'https://accounts.larksuite.com',
    open: 'https://open.larksuite.com',
  },
} as const

/** The endpoints of a brand; a private deployment's own origins win. */
export function endpointsOf(
  brand: 'feishu' | 'lark',
  overrides: { accountsUrl: string | null; openUrl: string | null },
): Endpoints {
  const accounts = overrides.accountsUrl ?? HOSTS[brand].accounts
  const open = overrides.openUrl ?? HOSTS[brand].open
  return {
    brand,
    accounts,
    open,
    authorize: `${accounts}/open-apis/authen/v1/authorize`,
    // v2 by default: v3 refuses valid PKCE verifiers (larksuite/oapi-sdk-go issue 230).
    token: { v2: `${open}/open-apis/authen/v2/oauth/token`, v3: `${accounts}/oauth/v3/token` },
    userInfo: `${open}/open-apis/authen/v1/user_info`,
    revoke: `${accounts}/oauth/v1/revoke`,
    deviceAuthorization: `${accounts}/oauth/v1/device_authorization`,
  }
}

/** The MCP server that Feishu hosts for a brand; one that the settings name wins. */
export function hostedMcpUrl(brand: 'feishu' | 'lark', mcpUrl: string | null): string {
  return mcpUrl ?? `https://mcp.${HOSTS[brand].site}/mcp`
}

/** The developer console's page for redirect URLs and for the refresh switch of one app. */
export function redirectSettingsUrl(open: string, appId: string): string {
  return `${open}/app/${encodeURIComponent(appId)}/safe`
}

/** The developer console's permission page of one app, with these scopes filled in (commas there, spaces elsewhere). */
export function scopeSettingsUrl(open: string, appId: string, scopes: readonly string[]): string {
  const query = new URLSearchParams({ q: scopes.join(','), op_from: 'feishu-token-mcp', token_type: 'user' })
  return `${open}/app/${encodeURIComponent(appId)}/auth?${query}`
}

/** No address that a person is sent to comes near. */
const ADDRESS_CHARACTERS = 2048

/**
 * An address in an answer, if a person may be sent there: https on one of the brand's hosts, or on the hosts in force.
 * An answer may not send a person anywhere else.
 */
export function trustedUrl(value: unknown, endpoints: Endpoints): string | null {
  if (typeof value !== 'string' || value.length > ADDRESS_CHARACTERS || !URL.canParse(value)) return null
  const url = new URL(value)
  if (url.username || url.password) return null
  if (url.origin === endpoints.open || url.origin === endpoints.accounts) return url.href
  const { site } = HOSTS[endpoints.brand]
  const inSite = url.hostname === site || url.hostname.endsWith(`.${site}`)
  return url.protocol === 'https:' && inSite ? url.href : null
}

/** Longer than any sentence of Feishu's, shorter than any trick. */
const SHOWN_CHARACTERS = 200
/** As much as is looked at: escapes and blanks may take most of it. */
const READ_CHARACTERS = 4096
/** A piece of a secret that is this long tells something of it. */
const PIECE_CHARACTERS = 8

/**
 * Makes a text of Feishu's fit to be shown: bounded, without control, bidirectional or invisible characters,
 * and never with a piece of a secret in it. Such texts come from outside and may hold anything.
 */
export function untrusted(text: unknown, secrets: readonly string[] = []): string | null {
  if (typeof text !== 'string') return null
  const plain = text
    .slice(0, READ_CHARACTERS)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\s]+/gu, ' ')
    .trim()
  const shown = [...withoutSecrets(plain, secrets)]
  return shown.length > SHOWN_CHARACTERS
    ? `${shown.slice(0, SHOWN_CHARACTERS).join('')}…`
    : shown.join('') || null
}

/** Hides every piece of a secret: an answer may hold our own request, whole or cut. */
export function withoutSecrets(text: string, secrets: readonly string[]): string {
  const pieces = new Set<string>()
  for (const secret of secrets) {
    for (let at = 0; at + PIECE_CHARACTERS <= secret.length; at += 1) {
      pieces.add(secret.slice(at, at + PIECE_CHARACTERS))
    }
  }
  let shown = ''
  for (let at = 0; at < text.length; ) {
    let end = at
    while (pieces.has(text.slice(end, end + PIECE_CHARACTERS))) end += 1
    if (end === at) {
      shown += text[at]
      at += 1
    } else {
      shown += '[secret]'
      at = end + PIECE_CHARACTERS - 1
    }
  }
  return secrets.reduce((rest, secret) => (secret ? rest.replaceAll(secret, '[secret]') : rest), shown)
}
