// The fetch of `connect`, against servers that answer as a test says.

import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import { gzipSync } from 'node:zlib'
import { Agent } from 'undici'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type Fetch, fetchThrough } from '../../src/machine/fetch.ts'
import { closedPort, listen } from './transport-peers.ts'

async function serve(answer: RequestListener): Promise<{ fetch: Fetch; url: string }> {
  const agent = new Agent()
  onTestFinished(() => agent.destroy())
  return { fetch: fetchThrough(agent), url: `http://127.0.0.1:${await listen(createServer(answer))}/mcp?a=b` }
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks = await request.toArray()
  return Buffer.concat(chunks).toString()
}

/** Resolves once the connection of a request is closed, however it came to that. */
function closing({ socket }: IncomingMessage): Promise<void> {
  return new Promise((resolve) => socket.on('close', () => resolve()))
}

describe('what is sent and what comes', () => {
  test('a request arrives as it was given, and its answer as it was sent', async () => {
    const { fetch, url } = await serve(async (request, response) => {
      const { method, url, headers } = request
      response.writeHead(400, { 'X-Twice': ['1', '2'], 'Content-Type': 'text/plain' })
      response.end(JSON.stringify({ method, url, own: headers['x-own'], sent: await bodyOf(request) }))
    })
    const response = await fetch(url, { method: 'POST', headers: new Headers({ 'X-Own': 'é' }), body: '我' })
    expect(response.ok).toBe(false)
    expect(response.status).toBe(400)
    expect(response.headers.get('x-twice')).toBe('1, 2')
    expect(response.headers.get('content-type')).toBe('text/plain')
    expect(await response.json()).toEqual({ method: 'POST', url: '/mcp?a=b', own: 'é', sent: '我' })
  })

  test('what comes packed is unpacked, and nothing else than that is asked for', async () => {
    const { fetch, url } = await serve((request, response) => {
      const text = `${request.method} ${request.headers['accept-encoding']}`
      response.writeHead(200, { 'Content-Encoding': 'GZIP' }).end(gzipSync(text))
    })
    expect(await (await fetch(new URL(url))).text()).toBe('GET gzip')
  })

  test.for([202, 204, 304])('an answer %i without a body is one', async (status) => {
    const { fetch, url } = await serve((_request, response) => response.writeHead(status).end())
    const response = await fetch(url, { method: 'POST', body: '{}' })
    expect(response.status).toBe(status)
    await response.body?.cancel()
  })

  test('a body is read as it comes', async () => {
    const { fetch, url } = await serve((_request, response) => void response.write('first'))
    const reader = (await fetch(url)).body?.getReader()
    expect(String(Buffer.from((await reader?.read())?.value ?? []))).toBe('first')
    await reader?.cancel()
  })
})

test('no redirect is followed', async () => {
  const asked: string[] = []
  const { fetch, url } = await serve((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(307, { location: '/elsewhere' }).end()
  })
  expect((await fetch(url, { method: 'POST', body: '{}', redirect: 'follow' })).status).toBe(307)
  expect(asked).toEqual(['/mcp?a=b'])
})

describe('what goes wrong', () => {
  test('a host that cannot be reached is named with what to check', async () => {
    const { fetch } = await serve(() => undefined)
    const error = await fetch(`http://127.0.0.1:${await closedPort()}/`).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'network_error', message: expect.stringContaining('ECONNREFUSED') })
  })

  test('a request that was being sent may have been fulfilled: it is not said that the host was not reached', async () => {
    const { fetch, url } = await serve((request) => void request.socket.destroy())
    await expect(fetch(url)).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
  })

  test('a status that no answer may have fails the request at once', async () => {
    const { fetch, url } = await serve((_request, response) => response.writeHead(999).end())
    await expect(fetch(url)).rejects.toThrow(RangeError)
  })

  test('an answer that is cut fails whoever reads it', async () => {
    const { fetch, url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('begun', () => response.destroy())
    })
    await expect((await fetch(url)).text()).rejects.toMatchObject({ code: 'UND_ERR_SOCKET' })
  })

  test('a packed answer that is damaged fails whoever reads it', async () => {
    const { fetch, url } = await serve((_request, response) => {
      response.writeHead(200, { 'content-encoding': 'gzip' }).end('no gzip')
    })
    await expect((await fetch(url)).text()).rejects.toThrow()
  })

  test.for(['waits for its answer', 'reads it'])(
    'one that %s is left where the caller leaves',
    async (when) => {
      const controller = new AbortController()
      let left: Promise<void> | undefined
      let begun = () => {}
      const arrived = new Promise<void>((resolve) => {
        begun = resolve
      })
      const { fetch, url } = await serve((request, response) => {
        left = closing(request)
        if (when === 'reads it') response.write('begun')
        begun()
      })
      const reading = fetch(url, { signal: controller.signal }).then((response) => response.text())
      const failed = expect(reading).rejects.toThrow()
      await arrived
      controller.abort()
      await failed
      await left
    },
  )

  test('a body that nobody wants any more ends its connection', async () => {
    let left: Promise<void> | undefined
    const { fetch, url } = await serve((request, response) => {
      left = closing(request)
      response.write('begun')
    })
    const response = await fetch(url)
    await response.body?.cancel()
    await left
  })
})
