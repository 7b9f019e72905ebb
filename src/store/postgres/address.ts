// The address of a database, `postgres://USER:PASSWORD@HOST/DATABASE?…`. It may hold a password: no text here shows it.

/** The address as a URL; null: it is none. Without a host the database is reached through a Unix socket. */
export function parseAddress(value: string): URL | null {
  if (!/^postgres(ql)?:\/\//.test(value)) return null
  const text = URL.canParse(value) ? value : value.replace('@/', '@localhost/')
  const url = URL.canParse(text) ? new URL(text) : null
  return url && url.pathname.length > 1 ? url : null
}

function hostOf(url: URL): string {
  return url.searchParams.get('host') ?? decodeURIComponent(url.hostname)
}

/** Host, port and database, for people: neither user nor password. */
export function placeOfDatabase(url: URL): string {
  const port = url.searchParams.get('port') ?? (url.port || '5432')
  return `${hostOf(url) || 'localhost'}:${port}${url.pathname}`
}

/** Whether the way to the database leads over a network without checked TLS: anybody in between could answer for it. */
export function goesInTheClear(url: URL): boolean {
  const host = hostOf(url)
  if (host === '' || host.startsWith('/') || ['localhost', '127.0.0.1', '[::1]'].includes(host)) return false
  const mode = url.searchParams.get('sslmode') ?? ''
  return (
    !['prefer', 'require', 'verify-ca', 'verify-full'].includes(mode) &&
    url.searchParams.get('ssl') !== 'true'
  )
}
