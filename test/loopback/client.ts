import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import { type Listener, type ListenerOptions, listenForCallback } from '../../src/loopback/listener.ts'
import type { Page } from '../../src/loopback/page-text.ts'
import { freePort } from '../support/port.ts'

export type Answer = { status: number; headers: Record<string, string>; body: string }

export type OpenListener = { listener: Listener; port: number; queries: URLSearchParams[] }

/** Binds a server of somebody else; rejects where the address does not exist. */
export async function holdPort(host: string, port: number): Promise<Server> {
  const server = createServer().listen({ host, port })
  await once(server, 'listening')
  return server
}

export async function closeServer(server: Server): Promise<void> {
  server.close()
  await once(server, 'close')
}

export async function hasIPv6(): Promise<boolean> {
  const server = await holdPort('::1', 0).catch(() => null)
  if (server !== null) await closeServer(server)
  return server !== null
}

/** A listener on http://localhost:PORT/callback that ends with the test. */
export async function openListener(
  respond: (query: URLSearchParams) => Promise<Page> = async () => ({ kind: 'denied' }),
  options: Partial<ListenerOptions> = {},
): Promise<OpenListener> {
  const port =
    options.redirectUri === undefined ? await freePort() : Number(new URL(options.redirectUri).port)
  const queries: URLSearchParams[] = []
  const listener = await listenForCallback({
    redirectUri: `http://localhost:${port}/callback`,
    listen: null,
    tls: null,
    language: null,
    ...options,
    onResponse: (query) => {
      queries.push(query)
      return respond(query)
    },
  })
  onTestFinished(() => listener.close())
  return { listener, port, queries }
}

/** What a browser sends: the target, our Host, and the given headers (null leaves one out). */
export function requestBytes(
  port: number,
  target: string,
  headers: Record<string, string | null> = {},
  method = 'GET',
): string {
  const all = Object.entries({ Host: `localhost:${port}`, ...headers }).filter(([, value]) => value !== null)
  return `${method} ${target} HTTP/1.1\r\n${all.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`
}

/** Sends bytes on a connection of their own and reads until the other side closes. */
export async function sendOnce(port: number, bytes: string, host = '127.0.0.1'): Promise<Answer> {
  const socket = connect({ port, host })
  socket.write(bytes)
  return readAnswer(socket)
}

/** The same, following a redirect with the same headers, as a browser does. */
export async function send(port: number, bytes: string, host = '127.0.0.1'): Promise<Answer> {
  const answer = await sendOnce(port, bytes, host)
  const { location } = answer.headers
  if (answer.status !== 303 || location === undefined) return answer
  return sendOnce(port, bytes.replace(/^\S+ \S+/, `GET ${location}`), host)
}

export async function readAnswer(socket: Socket): Promise<Answer> {
  const chunks: Buffer[] = []
  for await (const chunk of socket) chunks.push(chunk)
  return parseAnswer(Buffer.concat(chunks).toString())
}

function parseAnswer(text: string): Answer {
  const end = text.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = lines.map((line) => {
    const colon = line.indexOf(': ')
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 2)]
  })
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: Object.fromEntries(headers),
    body: text.slice(end + 4),
  }
}
