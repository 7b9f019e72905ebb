import { once } from 'node:events'
import {
  Agent,
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type RequestListener,
  request,
  type Server,
} from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { type Dispatcher, Agent as UndiciAgent } from 'undici'
import { expect, onTestFinished } from 'vitest'
import { type Gateway, type GatewayOptions, startGateway } from '../../src/gateway/gateway.ts'

export type Answer = { status: number; headers: IncomingHttpHeaders; rawHeaders: string[]; body: Buffer }
export type Call = {
  method?: string
  path?: string
  headers?: Record<string, string>
  body?: Buffer | string
  agent?: Agent
}

/** A stand-in for the open host that remembers what reached it. */
export type Upstream = {
  origin: string
  server: Server
  requests: IncomingMessage[]
  connections: () => number
}

export async function startUpstream(handler: RequestListener): Promise<Upstream> {
  const requests: IncomingMessage[] = []
  const server = createServer((req, res) => {
    requests.push(req)
    handler(req, res)
  })
  let connections = 0
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { origin: originOf(server), server, requests, connections: () => connections }
}

export function originOf(server: { address: () => unknown }): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export type Setting = Gateway & { log: string[]; loads: () => number }

/** A gateway in front of `openUrl` whose token is `secret-token-1` unless told; no log line ever holds a token or the key. */
export async function startGatewayTo(
  openUrl: string,
  options: Partial<GatewayOptions> & { agent?: Dispatcher } = {},
): Promise<Setting> {
  const { agent = new UndiciAgent(), ...rest } = options
  const log: string[] = []
  let loads = 0
  const gateway = await startGateway({
    openUrl,
    dispatcher: async () => {
      loads++
      return agent
    },
    currentToken: async () => ({ accessToken: 'secret-token-1', generation: 1 }),
    renewToken: async () => {
      throw new Error('no renewal was expected')
    },
    log: (level, message) => log.push(`${level} ${message}`),
    ...rest,
  })
  onTestFinished(async () => {
    await gateway.close()
    await agent.destroy()
    expect(log.join('\n')).not.toMatch(/secret-token/)
    expect(log.join('\n')).not.toContain(gateway.key)
  })
  return { ...gateway, log, loads: () => loads }
}

/** One request to the gateway, with its key unless other headers are given. */
export async function call(gateway: Gateway, options: Call = {}): Promise<Answer> {
  const { method = 'GET', path = '/open-apis/any', agent, body } = options
  const headers = options.headers ?? bearing(gateway)
  const req = request(`${gateway.origin}`, { method, path, headers, agent: agent ?? new Agent() })
  req.end(body)
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  const chunks: Buffer[] = []
  for await (const chunk of res) chunks.push(chunk)
  const { statusCode = 0, rawHeaders } = res
  return { status: statusCode, headers: res.headers, rawHeaders, body: Buffer.concat(chunks) }
}

export function bearing(gateway: Gateway): Record<string, string> {
  return { authorization: `Bearer ${gateway.key}` }
}

/** Sends the bytes as they are and gives all that comes back until the gateway closes. */
export async function sendRaw(gateway: Gateway, text: string): Promise<string> {
  const socket = connect(Number(new URL(gateway.origin).port), '127.0.0.1')
  socket.write(text.replaceAll('\n', '\r\n'))
  let received = ''
  socket.setEncoding('latin1').on('data', (chunk) => {
    received += chunk
  })
  await once(socket, 'close')
  return received
}

/** Checks that the answer is the gateway's own, in Feishu's shape, and gives its `error.reason`. */
export function reasonOf(answer: Answer): string {
  expect(answer.headers['content-type']).toMatch('application/json')
  const { code, msg, error } = JSON.parse(answer.body.toString())
  expect(code).toBe(90_000_000 + answer.status)
  expect(msg).toContain(error.next_step)
  expect(answer.body.toString()).not.toMatch(/secret-token/)
  return error.reason
}

/** A promise with its ends outside. */
export function gate(): { opened: Promise<void>; open: () => void } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}
