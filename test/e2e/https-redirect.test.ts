// The redirect comes back over https: through a proxy that ends TLS, or to a listener with a certificate of its own.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import type { IncomingHttpHeaders } from 'node:http'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { type CertificateOptions, getSecurely, NO_OPENSSL, selfSigned } from '../loopback/certificate.ts'
import { requestBytes, send } from '../loopback/client.ts'
import { launchChromium, NO_CHROMIUM } from '../support/chromium.ts'
import { type Environment, run, type Server, type Stage, setStage, startServer } from '../support/program.ts'
import { startTlsProxy } from '../support/tls-proxy.ts'

const HOST = 'login.example.test'

type Certificate = { cert: Buffer; key: Buffer }

function certificate(ctx: TestContext, options: CertificateOptions = {}): Certificate {
  return selfSigned(options) ?? ctx.skip(NO_OPENSSL)
}

/** A stage whose redirect URI is what the app has registered, and only that. */
async function stageWith(
  redirectOf: (port: number) => string,
  env: (stage: Stage) => Environment,
): Promise<Stage> {
  const stage = await setStage()
  const redirectUri = redirectOf(stage.port)
  stage.sandbox.setApp({ redirectUrls: [redirectUri] })
  stage.env = { ...stage.env, FEISHU_REDIRECT_URI: redirectUri, ...env(stage) }
  return stage
}

/** A server reached through https://login.example.test/, on whatever port the proxy has here. */
function behindProxy(): Promise<Stage> {
  return stageWith(
    () => `https://${HOST}/oauth/callback`,
    ({ port }) => ({ FEISHU_CALLBACK_LISTEN: `127.0.0.1:${port}` }),
  )
}

/** A listener that speaks https on loopback. */
function withFiles(files: Partial<Certificate>): Promise<Stage> {
  return stageWith(
    (port) => `https://localhost:${port}/callback`,
    ({ home }) => {
      const [cert, key] = [join(home, 'cert.pem'), join(home, 'key.pem')]
      if (files.cert) writeFileSync(cert, files.cert)
      if (files.key) writeFileSync(key, files.key, { mode: 0o600 })
      return { FEISHU_TLS_CERT_FILE: cert, FEISHU_TLS_KEY_FILE: key }
    },
  )
}

/** The link of a new authorization, and where Feishu sends the browser when the person approves. */
async function approved(stage: Stage, server: Server): Promise<URL> {
  const started = await server.call('start_authorization', { open_browser: false })
  expect(started.data, started.text).toMatchObject({ redirect_uri: stage.env.FEISHU_REDIRECT_URI })
  return new URL(await stage.sandbox.approve(String(started.data.authorization_url)))
}

test('behind a proxy that ends TLS, the redirect over https ends in a token that can be renewed', async (ctx) => {
  const tls = certificate(ctx, { names: `DNS:${HOST}` })
  const stage = await behindProxy()
  const proxy = await startTlsProxy(tls, stage.port)
  const server = await startServer(stage)
  const location = await approved(stage, server)
  expect(location.origin).toBe(`https://${HOST}`)
  const page = await getSecurely(proxy.port, location.pathname + location.search, tls.cert, HOST)
  expect(page.status).toBe(200)
  expect(page.body).toContain(stage.sandbox.user.name)
  const status = await server.call('token_status', { wait_seconds: 20 })
  expect(status.data).toMatchObject({ status: 'valid', authorization_status: 'succeeded' })
  expect((await server.call('refresh_token', { force: true })).data.status).toBe('refreshed')
  const after = await getSecurely(proxy.port, location.pathname + location.search, tls.cert, HOST)
  expect(after.status).toBe(502)
})

const REWRITTEN: [string, (headers: IncomingHttpHeaders) => IncomingHttpHeaders][] = [
  ['rewrites Host to where it connects', (headers) => ({ ...headers, host: '127.0.0.1' })],
  [
    'rewrites Host and names the real one in X-Forwarded-Host and Forwarded',
    (headers) => ({
      ...headers,
      host: 'evil.test',
      'x-forwarded-host': HOST,
      forwarded: `host=${HOST};proto=https`,
    }),
  ],
]

test.for(REWRITTEN)('a proxy that %s is told so, and the login lives on', async ([, rewrite], ctx) => {
  const tls = certificate(ctx, { names: `DNS:${HOST}` })
  const stage = await behindProxy()
  const wrong = await startTlsProxy(tls, stage.port, rewrite)
  const right = await startTlsProxy(tls, stage.port)
  const server = await startServer(stage)
  const location = await approved(stage, server)
  const path = location.pathname + location.search
  const refused = await getSecurely(wrong.port, path, tls.cert, HOST)
  expect([refused.status, refused.body]).toEqual([421, expect.stringContaining('must pass the Host header')])
  expect((await server.call('token_status')).data.authorization_status).toBe('pending')
  expect((await getSecurely(right.port, path, tls.cert, HOST)).status).toBe(200)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('what a proxy says about the client, the scheme and the path counts for nothing', async () => {
  const stage = await behindProxy()
  const server = await startServer(stage)
  const location = await approved(stage, server)
  const path = location.pathname + location.search
  const claims = {
    'X-Forwarded-For': '203.0.113.7',
    'X-Forwarded-Proto': 'http',
    'X-Forwarded-Host': 'evil.test',
    'X-Forwarded-Port': '80',
    'X-Forwarded-Prefix': '/elsewhere',
    'X-Original-URL': '/admin',
    Forwarded: 'host=evil.test;proto=http',
  }
  const off = { Host: HOST, 'X-Original-URL': path, 'X-Forwarded-Prefix': '/oauth' }
  expect((await send(stage.port, requestBytes(stage.port, `/callback${location.search}`, off))).status).toBe(
    404,
  )
  const page = await send(stage.port, requestBytes(stage.port, path, { Host: HOST, ...claims }))
  expect(page.status).toBe(200)
  for (const claim of ['203.0.113.7', 'evil.test', 'elsewhere']) expect(page.body).not.toContain(claim)
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('in a browser, the person reaches the page behind the proxy by the name that is registered', async (ctx) => {
  const tls = certificate(ctx, { names: `DNS:${HOST}` })
  const stage = await behindProxy()
  const proxy = await startTlsProxy(tls, stage.port)
  const mapping = `--host-resolver-rules=MAP ${HOST}:443 127.0.0.1:${proxy.port}`
  const browser = (await launchChromium([mapping])) ?? ctx.skip(NO_CHROMIUM)
  onTestFinished(() => browser.close())
  const server = await startServer(stage)
  const started = await server.call('start_authorization', { open_browser: false })
  const context = await browser.newContext({ locale: 'zh-CN', ignoreHTTPSErrors: true })
  const tab = await context.newPage()
  await tab.goto(String(started.data.authorization_url))
  await tab.click('#approve')
  await tab.waitForURL(`https://${HOST}/oauth/callback?**`)
  expect(await tab.locator('h1').textContent()).toBe('授权成功')
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

test('with a certificate of its own, the listener on loopback speaks https and nothing else', async (ctx) => {
  const tls = certificate(ctx)
  const stage = await withFiles(tls)
  const server = await startServer(stage)
  const location = await approved(stage, server)
  const path = location.pathname + location.search
  await expect(fetch(`http://localhost:${stage.port}${path}`)).rejects.toThrow()
  expect((await server.call('token_status')).data.authorization_status).toBe('pending')
  const page = await getSecurely(stage.port, path, tls.cert)
  expect([page.status, page.body]).toEqual([200, expect.stringContaining(stage.sandbox.user.name)])
  expect((await server.call('token_status', { wait_seconds: 20 })).data.status).toBe('valid')
})

/** A private key that asks for a passphrase. */
function locked(key: Buffer): Buffer {
  return execFileSync('openssl', ['pkey', '-aes256', '-passout', 'pass:hunter2'], { input: key })
}

type Files = (ctx: TestContext) => Partial<Certificate>

const UNUSABLE: [string, Files, RegExp][] = [
  ['are missing', () => ({}), /FEISHU_TLS_CERT_FILE \(.*cert\.pem\) cannot be read \(ENOENT\)/],
  ['lack the key', (ctx) => ({ cert: certificate(ctx).cert }), /FEISHU_TLS_KEY_FILE \(.*\) cannot be read/],
  [
    'are in each other’s place',
    (ctx) => {
      const { cert, key } = certificate(ctx)
      return { cert: key, key: cert }
    },
    /FEISHU_TLS_CERT_FILE holds no certificate/,
  ],
  [
    'hold something else than a key',
    (ctx) => ({ cert: certificate(ctx).cert, key: Buffer.from('hunter2') }),
    /FEISHU_TLS_KEY_FILE holds no private key/,
  ],
  [
    'hold a key with a passphrase',
    (ctx) => {
      const { cert, key } = certificate(ctx)
      return { cert, key: locked(key) }
    },
    /protected by a passphrase/,
  ],
  [
    'do not belong together',
    (ctx) => ({ cert: certificate(ctx).cert, key: certificate(ctx).key }),
    /does not belong to the certificate/,
  ],
  ['have ended', (ctx) => certificate(ctx, { days: -1 }), /ended on \d{4}-\d\d-\d\d/],
  [
    'are for another name',
    (ctx) => certificate(ctx, { names: 'DNS:other.test' }),
    /not for localhost \(its names: DNS:other\.test\)/,
  ],
]

test.for(UNUSABLE)(
  'certificate files that %s: no link, and an error that names the setting',
  async ([, files, text], ctx) => {
    const stage = await withFiles(files(ctx))
    const server = await startServer(stage)
    const refused = await server.call('start_authorization', { open_browser: false })
    expect(refused.isError).toBe(true)
    expect(refused.text).toMatch(text)
    expect(refused.text).toMatch(/FEISHU_TLS_(CERT|KEY)_FILE.*\[code=config_invalid recovery=fix_config\]$/s)
    expect(refused.text).not.toMatch(/hunter2|PRIVATE KEY|state=/)
    expect((await server.call('token_status')).data.authorization_status).toBe('none')
    // The port was not left open.
    const other = createServer().listen(stage.port, '127.0.0.1')
    await new Promise((resolve, reject) => other.once('listening', resolve).once('error', reject))
    await new Promise((resolve) => other.close(resolve))
    const { checks } = JSON.parse((await run(stage, ['doctor', '--json'])).stdout)
    const port = checks.find(({ name }: { name: string }) => name === 'redirect_port')
    expect(port).toMatchObject({ status: 'fail', message: expect.stringMatching(text) })
  },
)

test('behind a proxy doctor looks at the port of the listener', async () => {
  const stage = await behindProxy()
  const { checks } = JSON.parse((await run(stage, ['doctor', '--json'])).stdout)
  const port = checks.find(({ name }: { name: string }) => name === 'redirect_port')
  expect(port).toMatchObject({ status: 'pass', message: `Port ${stage.port} on 127.0.0.1 is free.` })
})

test('doctor warns before the certificate ends, and passes one that has time', async (ctx) => {
  const statusOf = async (days: number): Promise<string> => {
    const stage = await withFiles(certificate(ctx, { days }))
    const { checks } = JSON.parse((await run(stage, ['doctor', '--json'])).stdout)
    return checks.find(({ name }: { name: string }) => name === 'redirect_port').status
  }
  expect([await statusOf(5), await statusOf(90)]).toEqual(['warn', 'pass'])
})

test.each([
  ['http://login.example.test/callback', {}, /must be https: plain http is for localhost alone/],
  ['http://login.example.test/callback', { FEISHU_CALLBACK_LISTEN: '127.0.0.1:9000' }, /must be https/],
  ['https://login.example.test/callback', {}, /set FEISHU_CALLBACK_LISTEN.*FEISHU_TLS_CERT_FILE/],
  [
    'https://login.example.test/callback',
    { FEISHU_CALLBACK_LISTEN: '0.0.0.0:9000' },
    /loopback host and port/,
  ],
])('the redirect URI %s with %j is refused, with what to set', async (uri, env, text) => {
  const stage = await setStage({ env: { FEISHU_REDIRECT_URI: uri, ...env } })
  const server = await startServer(stage)
  const refused = await server.call('start_authorization', { open_browser: false })
  expect(refused.text).toMatch(text)
  expect(refused.text).toMatch(/\[code=config_invalid recovery=fix_config\]$/)
  expect(stage.sandbox.requests).toEqual([])
})
