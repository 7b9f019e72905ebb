import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Config, readConfig } from '../../src/config/config.ts'
import { CodedError } from '../../src/errors.ts'
import { isLoopbackUrl } from '../../src/machine/address.ts'
import { expandHome } from '../../src/machine/home.ts'
import { splitScopes } from '../../src/oauth/scope-presets.ts'
import { Secret } from '../../src/secret.ts'
import { effortMs } from '../support/effort.ts'
import { failureOf } from '../support/failure.ts'
import { NO_POSIX, testIf } from '../support/needs.ts'

const HOME = '/home/kim'
const KEY = Buffer.alloc(32, 7).toString('base64')

type Env = Record<string, string | undefined>

function read(env: Env, options: { home?: string } = {}): Config {
  return readConfig(env, options.home ?? HOME, 'linux')
}

/** What is wrong with the settings, in the words of the error. */
async function problemsOf(env: Env, options: { home?: string } = {}): Promise<string> {
  const error = await failureOf(() => read(env, options))
  expect(error).toMatchObject({ code: 'config_invalid', nextStep: expect.stringContaining('env') })
  return error.message
}

function revealed(value: unknown): string | null {
  return value instanceof Secret ? value.reveal() : null
}

test('nothing set is enough', () => {
  expect(read({})).toEqual({
    brand: 'feishu',
    app: null,
    fallbackApp: null,
    accountsUrl: null,
    openUrl: null,
    mcpUrl: null,
    tokenEndpoint: 'v2',
    redirectUri: 'http://localhost:9000/callback',
    callbackListen: null,
    tlsFiles: null,
    scopes: ['auth:user.id:read', 'docx:document', 'offline_access'],
    profile: 'default',
    tokenDir: resolve('/home/kim/.feishu-token-mcp'),
    store: null,
    keySource: 'auto',
    key: null,
    autoRefresh: true,
    refreshMarginMs: 300_000,
    deliverTo: [],
    openBrowser: true,
    language: null,
    logLevel: 'info',
    proxy: null,
    noProxy: null,
    warnings: [],
  })
})

test('every setting is read, blanks around it left out', () => {
  const config = read({
    FEISHU_APP_ID: ' cli_a1 ',
    FEISHU_APP_SECRET: 's3cret',
    FEISHU_BRAND: 'Lark',
    FEISHU_REDIRECT_URI: 'http://127.0.0.1:18080/oauth',
    FEISHU_SCOPES: 'im:message, wiki:wiki',
    FEISHU_PROFILE: 'work',
    FEISHU_TOKEN_DIR: '~/tokens',
    FEISHU_TOKEN_KEY_SOURCE: 'env',
    FEISHU_TOKEN_KEY: KEY,
    FEISHU_AUTO_REFRESH: 'no',
    FEISHU_REFRESH_MARGIN: '0',
    FEISHU_OPEN_BROWSER: '0',
    FEISHU_LANG: 'ZH',
    FEISHU_LOG_LEVEL: 'debug',
    FEISHU_TOKEN_ENDPOINT: 'v3',
    FEISHU_ACCOUNTS_URL: 'https://accounts.example.com/',
    FEISHU_OPEN_URL: 'http://localhost:8080',
    https_proxy: 'http://kim:pw@proxy:8080',
    no_proxy: 'example.com',
  })
  expect(config).toMatchObject({
    app: { appId: 'cli_a1' },
    brand: 'lark',
    redirectUri: 'http://127.0.0.1:18080/oauth',
    scopes: ['im:message', 'wiki:wiki', 'offline_access'],
    profile: 'work',
    tokenDir: resolve('/home/kim/tokens'),
    keySource: 'env',
    autoRefresh: false,
    refreshMarginMs: 0,
    openBrowser: false,
    language: 'zh',
    logLevel: 'debug',
    tokenEndpoint: 'v3',
    accountsUrl: 'https://accounts.example.com',
    openUrl: 'http://localhost:8080',
    noProxy: 'example.com',
  })
  expect([config.app?.secret, config.key, config.proxy].map(revealed)).toEqual([
    's3cret',
    KEY,
    'http://kim:pw@proxy:8080',
  ])
})

test.each([
  [{ ALL_PROXY: 'socks5://a' }, 'socks5://a'],
  [{ all_proxy: '127.0.0.1:7890' }, '127.0.0.1:7890'],
  [{ ALL_PROXY: 'http://a', HTTPS_PROXY: 'http://b' }, 'http://b'],
])('%j: the proxy is %s, as it stands there', (environment, proxy) => {
  expect(revealed(read(environment).proxy)).toBe(proxy)
})

test('every problem is told at once, each with its setting', async () => {
  const message = await problemsOf({
    FEISHU_BRAND: 'dingtalk',
    FEISHU_REFRESH_MARGIN: '3601',
    FEISHU_AUTO_REFRESH: 'maybe',
    FEISHU_LOG_LEVEL: 'loud',
    FEISHU_APP_ID: 'cli_a1',
  })
  for (const name of ['BRAND', 'REFRESH_MARGIN', 'AUTO_REFRESH', 'LOG_LEVEL', 'APP_SECRET']) {
    expect(message).toContain(`FEISHU_${name}`)
  }
})

describe('a value that is not usable names its setting', () => {
  test.each<[string, string]>([
    ['FEISHU_BRAND', 'feishu,lark'],
    ['FEISHU_TOKEN_ENDPOINT', '2'],
    ['FEISHU_TOKEN_KEY_SOURCE', 'vault'],
    ['FEISHU_TOKEN_KEY', 'short'],
    ['FEISHU_TOKEN_KEY', Buffer.alloc(33).toString('base64')],
    ['FEISHU_TOKEN_KEY', `${KEY.slice(0, -3)}*a=`],
    ['FEISHU_TOKEN_STORE', 'mysql://db'],
    ['FEISHU_TOKEN_STORE', 'postgres://u:p@db'],
    ['FEISHU_TOKEN_STORE', 'postgres://u:p@db:x/d'],
    ['FEISHU_REFRESH_MARGIN', '-1'],
    ['FEISHU_REFRESH_MARGIN', '1e2'],
    ['FEISHU_REFRESH_MARGIN', '300s'],
    ['FEISHU_REFRESH_MARGIN', '3601'],
    ['FEISHU_PROFILE', 'Work'],
    ['FEISHU_PROFILE', '../work'],
    ['FEISHU_PROFILE', 'a'.repeat(65)],
    ['FEISHU_LANG', 'fr'],
    ['FEISHU_ACCOUNTS_URL', 'http://accounts.feishu.cn'],
    ['FEISHU_ACCOUNTS_URL', 'https://accounts.feishu.cn/path'],
    ['FEISHU_ACCOUNTS_URL', 'https://kim:pw@accounts.feishu.cn'],
    ['FEISHU_OPEN_URL', 'open.feishu.cn'],
    ['FEISHU_OPEN_URL', 'javascript:alert(1)'],
    ['FEISHU_OPEN_URL', 'https://open.feishu.cn?x=1'],
    ['FEISHU_TOKEN_GATEWAY', 'ftp://open.feishu.cn'],
    ['FEISHU_DELIVER_TO', 'nowhere:lark'],
  ])('%s=%s', async (name, value) => {
    const message = await problemsOf({ [name]: value })
    expect(message).toContain(name)
    expect(message).not.toContain('pw@')
  })
})

testIf(NO_POSIX)('no target lies in our own folder', async () => {
  const setting = 'token-json:~/.feishu-token-mcp/app.json'
  expect(await problemsOf({ FEISHU_DELIVER_TO: setting })).toContain('FEISHU_DELIVER_TO')
})

describe('the redirect URI', () => {
  test.each(['http://localhost:9000/callback', 'http://127.0.0.1:1/', 'http://[::1]:9000/x?y=1'])(
    '%s is taken as it is written',
    (redirectUri) => {
      expect(read({ FEISHU_REDIRECT_URI: redirectUri }).redirectUri).toBe(redirectUri)
    },
  )

  test.each([
    'http://example.com/callback',
    'http://localhost.example.com:9000/',
    'http://localhost:9000/callback#x',
    'http://kim@localhost:9000/callback',
    'http://localhost:0/callback',
    'localhost:9000/callback',
    'file:///etc/passwd',
  ])('%s is refused', async (redirectUri) => {
    expect(await problemsOf({ FEISHU_REDIRECT_URI: redirectUri })).toContain('FEISHU_REDIRECT_URI')
  })

  test('of https needs somebody who ends TLS', async () => {
    const env = { FEISHU_REDIRECT_URI: 'https://login.example.com/callback' }
    expect(await problemsOf(env)).toContain('FEISHU_CALLBACK_LISTEN')
    expect(read({ ...env, FEISHU_CALLBACK_LISTEN: '127.0.0.1:9000' }).callbackListen).toEqual({
      host: '127.0.0.1',
      port: 9000,
    })
    const files = { FEISHU_TLS_CERT_FILE: '~/c.pem', FEISHU_TLS_KEY_FILE: '/k.pem' }
    expect(await problemsOf({ ...env, ...files })).toContain('FEISHU_CALLBACK_LISTEN')
    expect(read({ ...files, FEISHU_REDIRECT_URI: 'https://localhost:9443/callback' }).tlsFiles).toEqual({
      cert: '/home/kim/c.pem',
      key: '/k.pem',
    })
  })

  test('of http cannot have a certificate, and a certificate needs its key', async () => {
    const files = { FEISHU_TLS_CERT_FILE: '/c.pem', FEISHU_TLS_KEY_FILE: '/k.pem' }
    expect(await problemsOf(files)).toContain('FEISHU_REDIRECT_URI must be https')
    expect(await problemsOf({ FEISHU_TLS_CERT_FILE: '/c.pem' })).toContain('FEISHU_TLS_KEY_FILE')
  })
})

describe('the address to listen on', () => {
  test.each([
    ['127.0.0.1:80', { host: '127.0.0.1', port: 80 }],
    ['localhost:65535', { host: 'localhost', port: 65535 }],
    ['[::1]:9000', { host: '[::1]', port: 9000 }],
  ])('%s is taken', (value, expected) => {
    expect(read({ FEISHU_CALLBACK_LISTEN: value }).callbackListen).toEqual(expected)
  })

  test.each([
    '0.0.0.0:9000',
    '192.168.1.2:9000',
    'example.com:9000',
    '127.0.0.1',
    '127.0.0.1:0',
    '127.0.0.1:65536',
    '127.0.0.1:9000/',
    '127.0.0.1/:9000',
    'kim@127.0.0.1:9000',
    ':pw@127.0.0.1:9000',
    '127.0.0.1:9000#:1',
    ':9000',
  ])('%s is refused', async (value) => {
    expect(await problemsOf({ FEISHU_CALLBACK_LISTEN: value })).toContain('FEISHU_CALLBACK_LISTEN')
  })
})

describe('the app', () => {
  test('is a pair, or a problem', async () => {
    expect(await problemsOf({ FEISHU_APP_ID: 'cli_a1' })).toContain('FEISHU_APP_SECRET')
    expect(await problemsOf({ FEISHU_APP_SECRET: 'x' })).toContain('FEISHU_APP_ID')
    expect(await problemsOf({ FEISHU_APP_ID: '../a', FEISHU_APP_SECRET: 'x' })).toContain('App ID')
  })

  test('may have its secret in a file', () => {
    const { app } = read({ FEISHU_APP_ID: 'cli_a1', FEISHU_APP_SECRET_FILE: '~/secret' })
    expect(app).toEqual({ appId: 'cli_a1', secret: { file: '/home/kim/secret' } })
  })

  test('of APP_ID and APP_SECRET is taken only when it is surely one of Feishu', () => {
    expect(read({ APP_ID: 'cli_a1', APP_SECRET: 'x' }).fallbackApp?.appId).toBe('cli_a1')
    expect(read({ APP_ID: 'wx123', APP_SECRET: 'x' }).fallbackApp).toBeNull()
    expect(read({ APP_ID: 'cli_a1' }).fallbackApp).toBeNull()
  })

  test.each([
    ['"quoted"', 'quotes'],
    ['APP_SECRET=abc', 'name with its value'],
    ['<secret>', 'placeholder'],
    ['cli_a1b2c3', 'App ID'],
  ])('of the form %s is named, not sent', async (value, form) => {
    const message = await problemsOf({ FEISHU_APP_ID: 'cli_a1', FEISHU_APP_SECRET: value })
    expect(message).toMatch(new RegExp(`FEISHU_APP_SECRET is no App Secret: .*${form}`))
    expect(message).not.toContain(value)
    expect(read({ APP_ID: 'cli_a1', APP_SECRET: value }).fallbackApp).toBeNull()
  })

  test('of another program with unresolved references is nobody’s problem here', () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what a client failed to replace
    const config = read({ APP_ID: '${APP_ID}', APP_SECRET: '$SECRET' })
    expect(config.fallbackApp).toBeNull()
    expect(read({ APP_ID: 'cli_a1', APP_SECRET: '$SECRET' }).fallbackApp).toBeNull()
  })
})

describe('a reference that the client did not replace', () => {
  test.each([
    // biome-ignore-start lint/suspicious/noTemplateCurlyInString: what clients fail to replace
    '${FEISHU_APP_ID}',
    '${env:FEISHU_APP_ID}',
    '${input:app-id}',
    'cli_${APP}',
    // biome-ignore-end lint/suspicious/noTemplateCurlyInString: so far
    '$FEISHU_APP_ID',
    '%FEISHU_APP_ID%',
  ])('%s is named as such', async (value) => {
    const message = await problemsOf({ FEISHU_APP_ID: value, FEISHU_APP_SECRET: 'x' })
    expect(message).toContain('FEISHU_APP_ID holds a reference')
    expect(message).not.toContain('set both')
  })

  test.each([
    ['FEISHU_TOKEN_DIR', '/data/$USER/tokens'],
    ['FEISHU_TOKEN_DIR', '%USERPROFILE%\\tokens'],
    ['FEISHU_DELIVER_TO', 'token-json:%LOCALAPPDATA%\\token.json'],
    ['FEISHU_TOKEN_STORE', 'postgres://kim:$PASSWORD@db.example/tokens'],
  ])('is seen in the middle of %s: %s', async (name, value) => {
    expect(await problemsOf({ [name]: value })).toContain(`${name} holds a reference`)
  })

  test('is seen in every setting of the contract', async () => {
    const table = readFileSync('docs/settings.md', 'utf8')
    const names = [...table.matchAll(/^\|([^|]*)\|/gm)].flatMap(([, cell = '']) => [
      ...cell.matchAll(/`([A-Z][A-Z_]+)`/g),
    ])
    expect(names.length).toBeGreaterThan(25)
    // Other programs have their own ideas of these.
    const foreign = ['APP_ID', 'APP_SECRET', 'ALL_PROXY']
    // biome-ignore lint/suspicious/noTemplateCurlyInString: what clients fail to replace
    for (const value of ['${workspaceFolder}/x', 'a$HOME/x', '%APPDATA%\\x']) {
      for (const [, name = ''] of names) {
        if (foreign.includes(name)) continue
        expect(await problemsOf({ [name]: value })).toContain(`${name} holds a reference`)
      }
    }
  })

  test.each([
    ['FEISHU_TOKEN_STORE', 'postgres://kim:%C3%A4%24b%@db.example/tokens?sslmode=verify-full'],
    ['HTTPS_PROXY', 'http://kim:%E4%BD%A0@proxy.example:8080'],
    ['FEISHU_TOKEN_DIR', '/mnt/c$/100%/tokens'],
  ])('is none in %s: %s', (name, value) => {
    expect(() => read({ [name]: value })).not.toThrow()
  })

  test('is not shown: it may be a secret that begins with a dollar sign', async () => {
    const message = await problemsOf({ FEISHU_APP_ID: 'cli_a1', FEISHU_APP_SECRET: '$canary4711' })
    expect(message).not.toContain('canary')
  })
})

describe('the folder of the store', () => {
  test('is the same whichever client starts us', () => {
    expect(read({ XDG_CONFIG_HOME: '/x', XDG_DATA_HOME: '/y' }).tokenDir).toBe(
      resolve('/home/kim/.feishu-token-mcp'),
    )
  })

  test('must be told where there is no home', async () => {
    expect(await problemsOf({}, { home: '' })).toContain('FEISHU_TOKEN_DIR')
    expect(await problemsOf({ FEISHU_TOKEN_DIR: '~/x' }, { home: '' })).toContain('FEISHU_TOKEN_DIR')
    expect(read({ FEISHU_TOKEN_DIR: '/x' }, { home: '' }).tokenDir).toBe(resolve('/x'))
  })

  test('may begin with ~, before either slash on Windows', () => {
    expect(read({ FEISHU_TOKEN_DIR: '~/tokens' }).tokenDir).toBe(resolve('/home/kim/tokens'))
    expect(expandHome('~\\tokens', { home: 'C:\\Users\\Kim', platform: 'win32' })).toBe(
      'C:\\Users\\Kim\\tokens',
    )
    expect(expandHome('~/tokens', { home: 'C:\\Users\\Kim', platform: 'win32' })).toBe(
      'C:\\Users\\Kim\\tokens',
    )
    expect(expandHome('~\\tokens', { home: '/home/kim', platform: 'linux' })).toBe('~\\tokens')
    expect(expandHome('~kim/x', { home: '/home/kim', platform: 'linux' })).toBe('~kim/x')
  })

  test('that is relative is warned of: it depends on where we are started', () => {
    expect(read({ FEISHU_TOKEN_DIR: 'tokens' }).warnings.join()).toContain('FEISHU_TOKEN_DIR is relative')
    expect(read({ FEISHU_TOKEN_DIR: '/a b/你好' }).warnings).toEqual([])
  })
})

test('the host that a gateway stands before wins over FEISHU_OPEN_URL', () => {
  const gateway = { FEISHU_TOKEN_GATEWAY: 'https://open.feishu.cn', FEISHU_OPEN_URL: 'http://127.0.0.1:4711' }
  expect(read(gateway).openUrl).toBe('https://open.feishu.cn')
})

test('TLS that is switched off is called out', () => {
  expect(read({ NODE_TLS_REJECT_UNAUTHORIZED: '0' }).warnings.join()).toContain('NODE_EXTRA_CA_CERTS')
  expect(read({ NODE_TLS_REJECT_UNAUTHORIZED: '1' }).warnings).toEqual([])
})

test('a preset among the scopes is spelled out', () => {
  const { scopes } = read({ FEISHU_SCOPES: 'docx:document @hosted-mcp' })
  expect(scopes).toContain('docx:document:create')
  expect(scopes.filter((scope) => scope.startsWith('@') || scope === 'offline_access')).toEqual([
    'offline_access',
  ])
})

test('the hosted MCP server is an https address, or http on loopback', () => {
  expect(read({}).mcpUrl).toBe(null)
  expect(read({ FEISHU_MCP_URL: 'https://mcp.example.com/mcp?a=b' }).mcpUrl).toBe(
    'https://mcp.example.com/mcp?a=b',
  )
  expect(read({ FEISHU_MCP_URL: 'http://127.0.0.1:9/mcp' }).mcpUrl).toBe('http://127.0.0.1:9/mcp')
  expect(() => read({ FEISHU_MCP_URL: 'http://mcp.example.com/mcp' })).toThrow('must be https')
})

test.each<[string, string[]]>([
  ['a:b c:d', ['a:b', 'c:d', 'offline_access']],
  ['a:b,c:d，e:f\n\tg:h', ['a:b', 'c:d', 'e:f', 'g:h', 'offline_access']],
  ['offline_access a:b a:b', ['offline_access', 'a:b']],
  [' , ', ['offline_access']],
])('the scopes %j are split, without doubles', (text, expected) => {
  expect(splitScopes(text)).toEqual(expected)
})

test('loopback is three names and nothing that looks like them', () => {
  const loopback = [
    'http://localhost',
    'http://LOCALHOST:1',
    'http://127.0.0.1',
    'http://127.1',
    'http://[::1]:9',
  ]
  const foreign = ['http://localhost.evil', 'http://127.0.0.2', 'http://[::2]', 'http://127.0.0.1.nip.io']
  expect(loopback.map((url) => isLoopbackUrl(new URL(url)))).toEqual([true, true, true, true, true])
  expect(foreign.map((url) => isLoopbackUrl(new URL(url)))).toEqual([false, false, false, false])
})

describe('whatever the environment holds', () => {
  const names = [
    ...['APP_ID', 'APP_SECRET', 'HTTPS_PROXY', 'NO_PROXY', 'FEISHU_APP_ID', 'FEISHU_APP_SECRET'],
    ...['FEISHU_APP_SECRET_FILE', 'FEISHU_BRAND', 'FEISHU_REDIRECT_URI', 'FEISHU_CALLBACK_LISTEN'],
    ...['FEISHU_TLS_CERT_FILE', 'FEISHU_TLS_KEY_FILE', 'FEISHU_SCOPES', 'FEISHU_PROFILE', 'FEISHU_TOKEN_DIR'],
    ...['FEISHU_TOKEN_KEY_SOURCE', 'FEISHU_TOKEN_KEY', 'FEISHU_TOKEN_STORE', 'FEISHU_AUTO_REFRESH'],
    ...[
      'FEISHU_REFRESH_MARGIN',
      'FEISHU_DELIVER_TO',
      'FEISHU_OPEN_BROWSER',
      'FEISHU_LANG',
      'FEISHU_LOG_LEVEL',
    ],
    ...['FEISHU_TOKEN_ENDPOINT', 'FEISHU_ACCOUNTS_URL', 'FEISHU_OPEN_URL', 'FEISHU_TOKEN_GATEWAY'],
  ]
  const value = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.webUrl({ withQueryParameters: true, withFragments: true }),
    fc.constantFrom(
      '127.0.0.1:9000',
      'cli_a1',
      '300',
      'env',
      '~',
      '~/x',
      'http://localhost:1/',
      '\0',
      '[::1]:',
    ),
  )

  test('reading it ends with settings or with a list of problems', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), (env) => {
        try {
          const config = read(env)
          expect(config.profile).toMatch(/^[a-z0-9][a-z0-9._-]{0,63}$/)
          expect(isLoopbackUrl(new URL(config.redirectUri)) || config.callbackListen !== null).toBe(true)
          if (config.callbackListen) expect(config.callbackListen.port).toBeGreaterThan(0)
        } catch (error) {
          if (!(error instanceof CodedError)) throw error
          expect(error.code).toBe('config_invalid')
        }
      }),
      { numRuns: 500 },
    )
  })

  test('no secret is in the problems', async () => {
    const secrets = {
      FEISHU_APP_SECRET: 'canary-secret',
      FEISHU_TOKEN_KEY: 'canary-key',
      FEISHU_TOKEN_STORE: 'oracle://canary:canary@db/x',
      HTTPS_PROXY: 'socks://canary:canary@proxy',
      APP_SECRET: 'canary',
    }
    expect(await problemsOf(secrets)).not.toContain('canary')
    expect(JSON.stringify(read({ ...secrets, ...usable })).includes('canary')).toBe(false)
  })
  const usable = {
    FEISHU_APP_ID: 'cli_a1',
    FEISHU_TOKEN_KEY: KEY,
    FEISHU_TOKEN_STORE: 'postgres://kim:canary@db/x',
    HTTPS_PROXY: 'http://c',
  }

  test('a very long value takes no long time', () => {
    const long = 'a '.repeat(500_000)
    const effort = effortMs(() => {
      expect(() => read(Object.fromEntries(names.map((name) => [name, long])))).toThrow(CodedError)
    })
    expect(effort).toBeLessThan(2_000)
  })
})

describe('a host that secrets go to', () => {
  test.each([
    ['https://feishu.cn.evil.example', true],
    ['https://evilfeishu.cn', true],
    ['https://open.example', true],
    ['https://open.feishu.cn', false],
    ['https://accounts.larksuite.com', false],
    ['http://127.0.0.1:8080', false],
  ])('%s is called out unless it is Feishu’s: %s', (origin, warned) => {
    for (const name of ['FEISHU_OPEN_URL', 'FEISHU_ACCOUNTS_URL']) {
      const { warnings } = read({ [name]: origin })
      expect(warnings.map(String).join()).toEqual(warned ? expect.stringContaining(`${name} names`) : '')
    }
  })
})

describe('the address of a database', () => {
  test.each([
    'postgres://kim:secret@db.example:5433/tokens?sslmode=verify-full',
    'postgresql://db.example/tokens?sslmode=require',
    'postgres://kim@/tokens?host=/run/postgresql',
    'postgres://127.0.0.1/tokens',
  ])('%s is kept as a secret, and nothing is said against it', (address) => {
    const config = read({ FEISHU_TOKEN_STORE: address })
    expect([config.store?.reveal(), config.warnings]).toEqual([address, []])
  })

  test.each([
    'postgres://db.example/t',
    'postgres://db.example/t?sslmode=disable',
    'postgres://db.example/t?sslmode=no-verify',
    'postgres://db.example/t?ssl=true&sslmode=no-verify',
    'postgres://db.example/t?sslmode=require&uselibpqcompat=true',
    'postgres://db.example/t?sslmode=prefer&uselibpqcompat=true',
  ])('%s leads over a network without checked TLS, and that is said', (address) => {
    expect(read({ FEISHU_TOKEN_STORE: address }).warnings.join()).toContain('sslmode=verify-full')
  })

  test('does not go with a keychain, which no other machine can ask', async () => {
    const settings = { FEISHU_TOKEN_STORE: 'postgres://db/t', FEISHU_TOKEN_KEY_SOURCE: 'keychain' }
    expect(await problemsOf(settings)).toContain('FEISHU_TOKEN_KEY_SOURCE must be file or env')
  })
})
