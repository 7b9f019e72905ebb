import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Answer } from './client.ts'

export const NO_OPENSSL = 'no openssl: install the openssl command to run the tests of the https listener'

/** A certificate for localhost that is its own authority; null where there is no openssl. */
export function selfSigned(): { cert: Buffer; key: Buffer } | null {
  const folder = mkdtempSync(join(tmpdir(), 'loopback-tls-'))
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  try {
    execFileSync(
      'openssl',
      [
        ...['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'],
        ...['-keyout', keyFile, '-out', certFile, '-days', '2', '-subj', '/CN=localhost'],
        ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
      ],
      { stdio: 'ignore' },
    )
    return { cert: readFileSync(certFile), key: readFileSync(keyFile) }
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Asks the https listener as a browser would that trusts the certificate. */
export function getSecurely(port: number, path: string, ca: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', servername: 'localhost', port, path, ca, agent: false })
    asked.setHeader('Host', `localhost:${port}`)
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
