// Servers that answer byte by byte as a test says, and one request to them.

import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { expect, onTestFinished } from 'vitest'
import type { ProxySettings } from '../../src/machine/proxy.ts'
import { createTransport } from '../../src/machine/transport.ts'
import type { HttpAnswer, HttpRequest } from '../../src/oauth/http.ts'

export const NO_PROXY: ProxySettings = { proxy: null, noProxy: null }
export const MIB = 1_048_576
export const SECRET_BODY = 'grant_type=refresh_token&refresh_token=canary-refresh'

export type Options = Partial<HttpRequest> & { proxy?: ProxySettings }

export function ask(url: string, { proxy = NO_PROXY, ...changes }: Options = {}): Promise<HttpAnswer> {
  return createTransport(proxy).request({
    method: 'POST',
    url,
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: SECRET_BODY,
    deadlineMs: 5_000,
    account: { key: 'k', forced: false },
    ...changes,
  })
}

/** A consent to send that counts how often it is asked for. */
export function countSends(): { onSend: () => void; sends: () => number } {
  let count = 0
  const onSend = (): void => {
    count += 1
  }
  return { onSend, sends: () => count }
}

export function failureOf(answer: HttpAnswer): Extract<HttpAnswer, { kind: 'failure' }> {
  if (answer.kind === 'answer') throw new Error(`answered with ${answer.status}`)
  expect(`${answer.error.message} ${answer.error.nextStep}`).not.toContain('canary')
  return answer
}

export function bodyOf(answer: HttpAnswer): string {
  if (answer.kind === 'failure') throw answer.error
  return answer.body.toString()
}

export async function listen<T extends Server>(server: T, host = '127.0.0.1'): Promise<number> {
  const sockets = new Set<Socket>()
  server.on('connection', (socket: Socket) => sockets.add(socket.on('error', () => undefined)))
  server.listen(0, host)
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}

/** A server of bytes; it remembers what each connection sent. */
export async function serveBytes(
  onRequest: (socket: Socket, connection: number) => void,
): Promise<{ url: string; received: string[]; closed: Promise<unknown> }> {
  const received: string[] = []
  let closed: (value?: unknown) => void = () => undefined
  const firstClosed = new Promise((resolve) => {
    closed = resolve
  })
  const server = createServer((socket) => {
    const index = received.push('') - 1
    socket.once('close', closed)
    socket.on('data', (chunk) => {
      const before = received[index] ?? ''
      received[index] = before + String(chunk)
      if (!before.includes('canary') && received[index]?.includes('canary')) onRequest(socket, index)
    })
  })
  const port = await listen(server)
  return { url: `http://127.0.0.1:${port}/token`, received, closed: firstClosed }
}

export function http(body: string | Buffer, headers: Record<string, string> = {}, status = '200 OK'): Buffer {
  const lines = Object.entries({ 'content-length': String(Buffer.byteLength(body)), ...headers })
  const head = [`HTTP/1.1 ${status}`, ...lines.map(([name, value]) => `${name}: ${value}`), '', ''].join(
    '\r\n',
  )
  return Buffer.concat([Buffer.from(head), Buffer.from(body)])
}

export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
