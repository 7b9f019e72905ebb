import { expect, type TestContext, test } from 'vitest'
import { checkCertificate, type Tls } from '../../src/loopback/certificate.ts'
import { type CertificateOptions, NO_OPENSSL, SHORT_KEY, selfSigned } from './certificate.ts'

const DAY = 86_400_000

function made(ctx: TestContext, options: CertificateOptions = {}): Tls {
  return selfSigned(options) ?? ctx.skip(NO_OPENSSL)
}

function problem(check: () => number): string | null {
  try {
    check()
    return null
  } catch (error) {
    return (error as Error).message
  }
}

test('the names of a certificate are its subjectAltNames: hosts, wildcards and addresses', (ctx) => {
  const tls = made(ctx, { names: 'DNS:localhost,DNS:*.example.com,IP:127.0.0.1,IP:0:0:0:0:0:0:0:1' })
  for (const host of ['localhost', 'login.example.com', '127.0.0.1', '[::1]'])
    expect([host, problem(() => checkCertificate(tls, host, Date.now()))]).toEqual([host, null])
  for (const host of ['example.com', 'a.b.example.com', '127.0.0.2', 'localhost.evil.test'])
    expect(problem(() => checkCertificate(tls, host, Date.now()))).toContain(`not for ${host} (its names: `)
})

test('the subject alone makes no name, as in browsers', (ctx) => {
  // Its subject is CN=localhost.
  const tls = made(ctx, { names: 'DNS:other.test' })
  expect(problem(() => checkCertificate(tls, 'localhost', Date.now()))).toContain('not for localhost')
  expect(problem(() => checkCertificate(tls, null, Date.now()))).toBeNull()
})

test('the day counts: before, within, after', (ctx) => {
  const tls = made(ctx, { days: 10 })
  const now = Date.now()
  const endsAt = checkCertificate(tls, 'localhost', now)
  expect(Math.abs(endsAt - (now + 10 * DAY))).toBeLessThan(60_000)
  expect(problem(() => checkCertificate(tls, 'localhost', endsAt - 1_000))).toBeNull()
  expect(problem(() => checkCertificate(tls, 'localhost', endsAt + 1_000))).toMatch(
    /ended on \d{4}-\d\d-\d\d/,
  )
  expect(problem(() => checkCertificate(tls, 'localhost', now - DAY))).toMatch(
    /begins on \d{4}-\d\d-\d\dT\S+Z only/,
  )
})

test('what TLS itself refuses is told before a listener opens', (ctx) => {
  expect(problem(() => checkCertificate(made(ctx, { key: SHORT_KEY }), null, Date.now()))).toMatch(
    /^The certificate of FEISHU_TLS_CERT_FILE cannot be used \(ERR_SSL_\w*SMALL\)\.$/,
  )
})

test('what is no certificate and no key is never shown', (ctx) => {
  const tls = made(ctx)
  const junk = Buffer.from('hunter2')
  expect(problem(() => checkCertificate({ ...tls, cert: junk }, null, Date.now()))).toBe(
    'FEISHU_TLS_CERT_FILE holds no certificate.',
  )
  expect(problem(() => checkCertificate({ ...tls, key: junk }, null, Date.now()))).toBe(
    'FEISHU_TLS_KEY_FILE holds no private key.',
  )
})
