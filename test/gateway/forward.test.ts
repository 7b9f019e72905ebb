import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { Agent, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { connect, createServer } from 'node:net'
import { gzipSync } from 'node:zlib'
import { ProxyAgent } from 'undici'
import { expect, onTestFinished, test } from 'vitest'
import { bearing, call, gate, originOf, sendRaw, startGatewayTo, startUpstream } from './fixture.ts'

async function readAll(req: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of req) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** The upstream answers with the body it got. */
async function echo(req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = await readAll(req)
  res.writeHead(200, {
    'content-length': body.length,
    'x-had-length': req.headers['content-length'] ?? 'none',
  })
  res.end(body)
}

test.each([
  ['GET', 0],
  ['POST', 0],
  ['POST', 1],
  ['PUT', 65_537],
  ['PATCH', 1_048_576],
  ['POST', 1_048_577],
  ['GET', 10],
  ['DELETE', 3_000_000],
])('%s with %i bytes arrives and comes back byte for byte', async (method, bytes) => {
  const upstream = await startUpstream(echo)
  const gateway = await startGatewayTo(upstream.origin)
  const body = randomBytes(bytes)
  const headers = { ...bearing(gateway), ...(bytes > 0 && { 'content-length': String(bytes) }) }
  const answer = await call(gateway, {
    method,
    body,
    headers,
    path: '/open-apis/drive/v1/files?a=%2F&b=%E4%BD%A0',
  })
  expect(answer.status).toBe(200)
  expect(answer.body.equals(body)).toBe(true)
  expect(upstream.requests[0]?.url).toBe('/open-apis/drive/v1/files?a=%2F&b=%E4%BD%A0')
  expect(upstream.requests[0]?.method).toBe(method)
  if (bytes > 0) expect(answer.headers['x-had-length']).toBe(String(bytes))
})

test.each([0, 5, 3_000_000])('a chunked body of %i bytes arrives whole', async (bytes) => {
  const upstream = await startUpstream(echo)
  const gateway = await startGatewayTo(upstream.origin)
  const body = randomBytes(bytes)
  const headers = { ...bearing(gateway), 'transfer-encoding': 'chunked' }
  const answer = await call(gateway, { method: 'POST', headers, body })
  expect(answer.body.equals(body)).toBe(true)
})

test('a compressed answer is handed on byte for byte, with its headers', async () => {
  const packed = gzipSync(JSON.stringify({ code: 0, data: 'x'.repeat(10_000) }))
  const upstream = await startUpstream((_req, res) => {
    const headers = {
      'content-encoding': 'gzip',
      'content-length': packed.length,
      'set-cookie': ['a=1', 'b=2'],
    }
    res.writeHead(200, { ...headers, 'x-tt-logid': '2026' }).end(packed)
  })
  const gateway = await startGatewayTo(upstream.origin)
  const answer = await call(gateway, { headers: { ...bearing(gateway), 'accept-encoding': 'gzip' } })
  expect(upstream.requests[0]?.headers['accept-encoding']).toBe('gzip')
  expect(answer.body.equals(packed)).toBe(true)
  expect(answer.headers).toMatchObject({
    'content-encoding': 'gzip',
    'set-cookie': ['a=1', 'b=2'],
    'x-tt-logid': '2026',
  })
  expect(answer.headers['content-length']).toBe(String(packed.length))
})

test('what belongs to one connection is dropped on both ways, trailers included', async () => {
  const upstream = await startUpstream((_req, res) => {
    res.writeHead(200, {
      connection: 'X-Hop',
      'x-hop': '1',
      'proxy-authenticate': 'Basic',
      trailer: 'x-sum',
      'x-end': '2',
    })
    res.write('body')
    res.addTrailers({ 'x-sum': '1' })
    res.end()
  })
  const gateway = await startGatewayTo(upstream.origin)
  const hop = {
    connection: 'x-mine',
    'x-mine': '1',
    te: 'trailers',
    'proxy-authorization': 'Basic x',
    'x-kept': '1',
  }
  const answer = await call(gateway, { headers: { ...bearing(gateway), ...hop } })
  for (const name of ['x-mine', 'te', 'proxy-authorization']) {
    expect(upstream.requests[0]?.headers[name]).toBeUndefined()
  }
  expect(upstream.requests[0]?.headers['x-kept']).toBe('1')
  for (const name of ['x-hop', 'proxy-authenticate', 'trailer']) expect(answer.headers[name]).toBeUndefined()
  expect(answer.headers['x-end']).toBe('2')
  expect(answer.body.toString()).toBe('body')
})

test('an answer whose Connection stands twice is one', async () => {
  const upstream = await startUpstream((_req, res) => {
    res.writeHead(200, { connection: ['X-Hop', 'close'], 'x-hop': '1', 'x-end': '2' }).end('body')
  })
  const answer = await call(await startGatewayTo(upstream.origin))
  expect(answer).toMatchObject({ status: 200, headers: { 'x-end': '2' } })
  expect(answer.headers['x-hop']).toBeUndefined()
  expect(answer.body.toString()).toBe('body')
})

test.each([
  ['HEAD', 200, { 'content-length': '1234' }],
  ['HEAD', 400, { 'content-length': '1234' }],
  ['GET', 204, {}],
  ['GET', 204, { 'content-length': '1234' }],
  ['GET', 304, { etag: '"x"' }],
  ['GET', 304, { etag: '"x"', 'content-length': '1234' }],
  ['GET', 404, { 'content-type': 'text/plain' }],
  ['GET', 599, {}],
])('%s answered with %i keeps its status and headers', async (method, status, headers) => {
  const upstream = await startUpstream((_req, res) => res.writeHead(status, headers).end())
  const gateway = await startGatewayTo(upstream.origin)
  const agent = new Agent({ keepAlive: true })
  for (let i = 0; i < 2; i++) {
    const answer = await call(gateway, { method, agent })
    expect(answer.status).toBe(status)
    expect(answer.headers).toMatchObject(headers)
    expect(answer.body).toHaveLength(0)
  }
  agent.destroy()
})

test('informational answers stay between the gateway and the open host', async () => {
  const upstream = await startUpstream((_req, res) => {
    res.writeEarlyHints({ link: '</x>; rel=preload' })
    res.writeProcessing()
    res.end('done')
  })
  const gateway = await startGatewayTo(upstream.origin)
  const host = new URL(gateway.origin).host
  const text = await sendRaw(gateway, `GET /open-apis/auth/ HTTP/1.1\nHost: ${host}\nConnection: close\n\n`)
  expect(text).toMatch(/^HTTP\/1\.1 200 /)
  expect(text).not.toMatch(/HTTP\/1\.1 10/)
})

test('a redirect is handed back as it is: nobody follows it and no token goes there', async () => {
  const other = await startUpstream((_req, res) => res.end())
  for (const status of [301, 302, 303, 307, 308]) {
    const location = `${other.origin}/elsewhere?x=1`
    const upstream = await startUpstream((_req, res) => res.writeHead(status, { location }).end('moved'))
    const gateway = await startGatewayTo(upstream.origin)
    const answer = await call(gateway, { method: 'POST', body: '{}' })
    expect(answer.status).toBe(status)
    expect(answer.headers.location).toBe(location)
    expect(answer.body.toString()).toBe('moved')
  }
  expect(other.requests).toHaveLength(0)
})

test('both sides keep their connections for the next request', async () => {
  const upstream = await startUpstream(echo)
  const gateway = await startGatewayTo(upstream.origin)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const ports = new Set<number | undefined>()
  for (let i = 0; i < 20; i++) {
    const req = request(gateway.origin, { method: 'POST', headers: bearing(gateway), agent })
    req.end('small')
    const [res] = (await once(req, 'response')) as [IncomingMessage]
    ports.add(res.socket.localPort)
    await readAll(res)
  }
  expect(ports.size).toBe(1)
  expect(upstream.connections()).toBe(1)
  agent.destroy()
})

test('Expect: 100-continue is answered before the body is sent', async () => {
  const upstream = await startUpstream(echo)
  const gateway = await startGatewayTo(upstream.origin)
  const headers = { ...bearing(gateway), expect: '100-continue', 'content-length': '4' }
  const req = request(gateway.origin, { method: 'POST', headers, agent: new Agent() })
  req.flushHeaders()
  await once(req, 'continue')
  req.end('body')
  const [res] = (await once(req, 'response')) as [IncomingMessage]
  expect((await readAll(res)).toString()).toBe('body')
  expect(upstream.requests[0]?.headers.expect).toBeUndefined()
})

test('a request that is refused is told so instead of 100 Continue, and its connection ends', async () => {
  const upstream = await startUpstream(echo)
  const gateway = await startGatewayTo(upstream.origin)
  const host = new URL(gateway.origin).host
  const text = await sendRaw(
    gateway,
    `POST / HTTP/1.1\nHost: ${host}\nAuthorization: Bearer no\nExpect: 100-continue\nContent-Length: 4\n\n`,
  )
  expect(text).toMatch(/^HTTP\/1\.1 401 .*Connection: close/is)
})

test.each([
  ['a body that can be sent again', 900_000],
  ['a streamed body', 20_000_000],
])('%s that is answered early: the answer arrives and the connection goes on', async (_name, bytes) => {
  const upstream = await startUpstream((req, res) => {
    if (req.method === 'POST') res.writeHead(413, { 'content-length': 9 }).end('too large')
    else res.end('next')
  })
  const gateway = await startGatewayTo(upstream.origin)
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const answer = await call(gateway, { method: 'POST', body: Buffer.alloc(bytes), agent })
  expect([answer.status, answer.body.toString()]).toEqual([413, 'too large'])
  expect((await call(gateway, { agent })).body.toString()).toBe('next')
  agent.destroy()
})

test('a program that goes away ends the request to the open host', async () => {
  const arrived = gate()
  const left = gate()
  const upstream = await startUpstream((_req, res) => {
    res.on('close', left.open)
    res.write('some')
    arrived.open()
  })
  const gateway = await startGatewayTo(upstream.origin)
  const req = request(gateway.origin, { headers: bearing(gateway) }).on('error', () => {})
  req.end()
  await arrived.opened
  req.destroy()
  await left.opened
  expect(gateway.log).toEqual([])
})

test('a program that goes away in the middle of its body ends the upload', async () => {
  const arrived = gate()
  const left = gate()
  const upstream = await startUpstream((req) => {
    req.once('data', arrived.open)
    req.once('close', left.open).on('error', () => {})
  })
  const gateway = await startGatewayTo(upstream.origin)
  const headers = { ...bearing(gateway), 'content-length': '5000000' }
  const req = request(gateway.origin, { method: 'POST', headers }).on('error', () => {})
  req.write(Buffer.alloc(2_000_000))
  await arrived.opened
  req.destroy()
  await left.opened
  expect(upstream.requests[0]?.complete).toBe(false)
  expect(gateway.log).toEqual([])
})

test('an answer that breaks off breaks off for the program, too', async () => {
  const upstream = await startUpstream((_req, res) => {
    res.writeHead(200, { 'content-length': 1_000 })
    res.write('only this', () => res.destroy())
  })
  const gateway = await startGatewayTo(upstream.origin)
  await expect(call(gateway)).rejects.toThrow('aborted')
  expect(gateway.log.join()).toMatch(/^warn .*broke off/)
})

test('behind a proxy the open host gets the same, and the proxy sees neither token nor key', async () => {
  const upstream = await startUpstream(echo)
  let seen = ''
  const proxy = createServer((inward) => {
    inward.once('data', (head) => {
      seen += head.toString('latin1')
      const outward = connect(Number(new URL(upstream.origin).port), '127.0.0.1')
      inward.write('HTTP/1.1 200 Connection established\r\n\r\n')
      inward.pipe(outward).pipe(inward)
    })
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => void proxy.close())
  const gateway = await startGatewayTo(upstream.origin, { agent: new ProxyAgent(originOf(proxy)) })
  for (const bytes of [0, 10, 2_000_000]) {
    const body = randomBytes(bytes)
    expect((await call(gateway, { method: 'POST', body })).body.equals(body)).toBe(true)
    expect(upstream.requests.at(-1)?.headers.host).toBe(new URL(upstream.origin).host)
    expect(upstream.requests.at(-1)?.headers.authorization).toBe('Bearer secret-token-1')
  }
  expect(seen).toMatch(/^CONNECT /)
  expect(seen).not.toMatch(/secret-token|authorization/i)
  expect(seen).not.toContain(gateway.key)
})
