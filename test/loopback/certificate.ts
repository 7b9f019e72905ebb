import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer } from './client.ts'

export const NO_OPENSSL = 'no openssl: install the openssl command to run the tests of the https listener'

export type CertificateOptions = {
  /** As openssl writes subjectAltNames. */
  names?: string
  /** -1: it ended yesterday. */
  days?: number
  /** As openssl names a new key. */
  key?: readonly string[]
}

const GOOD_KEY: readonly string[] = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
/** What OpenSSL itself refuses in a server. */
export const SHORT_KEY: readonly string[] = ['-newkey', 'rsa:512']

/** A certificate that is its own authority, for localhost where nothing else is said; null where there is no openssl. */
export function selfSigned(options: CertificateOptions = {}): { cert: Buffer; key: Buffer } | null {
  const { names = 'DNS:localhost,IP:127.0.0.1', days = 2, key = GOOD_KEY } = options
  const folder = mkdtempSync(join(tmpdir(), 'loopback-tls-'))
  const file = (name: string): string => join(folder, name)
  const openssl = (...args: string[]): unknown => execFileSync('openssl', args, { stdio: 'ignore' })
  const keys = ['-nodes', ...key]
  try {
    openssl('req', '-new', ...keys, '-keyout', file('key'), '-out', file('request'), '-subj', '/CN=localhost')
    writeFileSync(file('names'), `subjectAltName=${names}\n`)
    const signed = ['-days', String(days), '-extfile', file('names'), '-out', file('cert')]
    openssl('x509', '-req', '-in', file('request'), '-signkey', file('key'), ...signed)
    return { cert: readFileSync(file('cert')), key: readFileSync(file('key')) }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Asks an https server as a browser would that trusts the certificate. */
export async function getSecurely(
  port: number,
  path: string,
  ca: Buffer,
  host: string = `localhost:${port}`,
): Promise<Answer> {
  const answer = await getOnce(port, path, ca, host)
  const { location } = answer.headers
  // As a browser does.
  return answer.status === 303 && location ? getOnce(port, location, ca, host) : answer
}

function getOnce(port: number, path: string, ca: Buffer, host: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const servername = host.replace(/:\d+$/, '')
    const asked = request({ host: '127.0.0.1', servername, port, path, ca, agent: false })
    asked.setHeader('Host', host)
    asked.on('error', reject)
    asked.on('response', (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => {
        body += chunk
      })
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers as Answer['headers'], body }),
      )
    })
    asked.end()
  })
}
