// A server that is not Feishu, with a certificate of its own making, and what it gets to see.

import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer as createPlainServer } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'

const LIBFAKETIME = ['x86_64', 'aarch64']
  .map((machine) => `/usr/lib/${machine}-linux-gnu/faketime/libfaketime.so.1`)
  .find((path) => existsSync(path))

/** Whether certificates can be made here, at other times too; if not, why. */
export function certificateProblem(): string | null {
  if (spawnSync('openssl', ['version']).error) return 'openssl is missing: apt-get install openssl'
  return LIBFAKETIME ? null : 'libfaketime is missing: apt-get install libfaketime'
}

export type Certificate = { cert: Buffer; key: Buffer; path: string }

/** A certificate for `name` that is its own authority and lasts two days, made at another time. */
export function certify(folder: string, name: string, madeAt: string): Certificate {
  const [keyPath, path] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  const how = ['req', '-x509', '-nodes', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1']
  const what = ['-keyout', keyPath, '-out', path, '-days', '2', '-subj', `/CN=${name}`]
  execFileSync('openssl', [...how, ...what, '-addext', `subjectAltName=DNS:${name}`], {
    env: { ...process.env, LD_PRELOAD: LIBFAKETIME ?? '', FAKETIME: madeAt },
    stdio: 'ignore',
  })
  return { cert: readFileSync(path), key: readFileSync(keyPath), path }
}

export type Impostor = {
  url: string
  seen: { connections: number; requests: number }
  close: () => void
}

/** Starts it, over TLS if it has a certificate. */
export async function startImpostor(certificate: Certificate | null): Promise<Impostor> {
  const server = certificate ? createServer(certificate) : createPlainServer()
  const seen = { connections: 0, requests: 0 }
  server.on('connection', () => {
    seen.connections += 1
  })
  server.on('request', (_request, response) => {
    seen.requests += 1
    response.end('{}')
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const scheme = certificate ? 'https' : 'http'
  const url = `${scheme}://localhost:${(server.address() as AddressInfo).port}`
  return { url, seen, close: () => void server.close() }
}
