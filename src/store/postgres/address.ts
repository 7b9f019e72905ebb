// The address of a database, `postgres://USER:PASSWORD@HOST/DATABASE?…`. It may hold a password: no text here shows it.

import { LOOPBACK_HOSTS } from '../../machine/address.ts'
import { Secret } from '../../secret.ts'

/** The address as a URL; null: it is none. Without a host the database is reached through a Unix socket. */
export function parseAddress(value: string): URL | null {
  if (!/^postgres(ql)?:\/\//.test(value)) return null
  const text = URL.canParse(value) ? value : value.replace('@/', '@localhost/')
  const url = URL.canParse(text) ? new URL(text) : null
  return url && url.pathname.length > 1 ? url : null
}

/** The address with a password from elsewhere, unless it has its own. */
export function withPassword(address: Secret, password: string | undefined): Secret {
  const url = parseAddress(address.reveal())
  if (!url || !password || url.password || url.searchParams.has('password')) return address
  // Not before the host, which an address of a socket lacks.
  const text = address.reveal()
  return new Secret(`${text}${text.includes('?') ? '&' : '?'}password=${encodeURIComponent(password)}`)
}

function hostOf(url: URL): string {
  return url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
}

/** Host, port and database, for people: neither user nor password. */
export function placeOfDatabase(url: URL): string {
  const port = url.searchParams.get('port') ?? (url.port || '5432')
  return `${hostOf(url) || 'localhost'}:${port}${url.pathname}`
}

/** Whether the way to the database leads over a network without checked TLS: anyone in between could answer for it. */
export function goesInTheClear(url: URL): boolean {
  const host = hostOf(url)
  if (host === '' || host.startsWith('/') || LOOPBACK_HOSTS.includes(host)) return false
  const mode = url.searchParams.get('sslmode')
  if (mode === null) return url.searchParams.get('ssl') !== 'true'
  // The driver takes these for verify-full, unless it is to do as libpq does, which checks less than it says.
  const asLibpq = url.searchParams.get('uselibpqcompat') === 'true'
  const checked = asLibpq ? ['verify-ca', 'verify-full'] : ['prefer', 'require', 'verify-ca', 'verify-full']
  return !checked.includes(mode)
}
