// The settings: environment → Config, or one error that lists every problem and its fix. Pure: reads no file.

import { posix, resolve, win32 } from 'node:path'
import { parseTargets, type Target } from '../delivery/targets.ts'
import { CodedError } from '../errors.ts'
import { isLoopbackUrl } from '../machine/address.ts'
import { expandHome } from '../machine/home.ts'
import type { Environment, Machine } from '../machine/system.ts'
import { splitScopes } from '../oauth/scope-presets.ts'
import { type Brand, DEFAULT_PROFILE, PROFILE_NAME } from '../profile.ts'
import { Secret } from '../secret.ts'
import { type Language, type Sentence, say, series, unended } from '../sentence.ts'
import { goesInTheClear, parseAddress } from '../store/postgres/address.ts'
import { type EnvironmentApp, readApp, readFallbackApp } from './app-settings.ts'
import { type CallbackSettings, readCallback } from './callback-settings.ts'
import { SettingsReader } from './settings-reader.ts'

export type LogLevel = 'error' | 'warn' | 'info' | 'debug'

export type KeySourceSetting = 'auto' | 'keychain' | 'file' | 'env'

export type Config = CallbackSettings & {
  brand: Brand
  /** `FEISHU_APP_ID` with its secret: wins over what `setup` kept. */
  app: EnvironmentApp | null
  /** `APP_ID` and `APP_SECRET`, as other Feishu programs name them: used after what `setup` kept. */
  fallbackApp: EnvironmentApp | null
  accountsUrl: string | null
  openUrl: string | null
  /** The hosted MCP server; null: the brand's. */
  mcpUrl: string | null
  tokenEndpoint: 'v2' | 'v3'
  scopes: string[]
  /** This process's own: the environment's app and the delivery targets belong to it. */
  profile: string
  tokenDir: string
  /** The address of PostgreSQL; null: the token sets are in files. */
  store: Secret | null
  keySource: KeySourceSetting
  key: Secret | null
  autoRefresh: boolean
  refreshMarginMs: number
  /** Where copies of the access token go (`FEISHU_DELIVER_TO`). */
  deliverTo: Target[]
  openBrowser: boolean
  language: Language | null
  logLevel: LogLevel
  /** `HTTPS_PROXY` or `ALL_PROXY` as it stands there: written for other programs, it is judged when a request needs it. */
  proxy: Secret | null
  noProxy: string | null
  /** What is allowed but unwise, for people to know. */
  warnings: Sentence[]
}

export const DEFAULT_SCOPES: readonly string[] = ['auth:user.id:read', 'docx:document', 'offline_access']

function readKey(reader: SettingsReader): Secret | null {
  const value = reader.text('FEISHU_TOKEN_KEY')
  if (!value) return null
  const bytes = Buffer.from(value, 'base64')
  if (bytes.length !== 32 || !/^[A-Za-z0-9+/_-]{43}=?$/.test(value)) {
    reader.problems.push(
      say`FEISHU_TOKEN_KEY must be 32 bytes in base64; \`openssl rand -base64 32\` makes one`,
    )
    return null
  }
  return new Secret(value)
}

function readMargin(reader: SettingsReader): number {
  const value = reader.text('FEISHU_REFRESH_MARGIN') ?? '300'
  const seconds = Number(value)
  if (/^\d+$/.test(value) && seconds <= 3600) return seconds * 1000
  reader.problems.push(say`FEISHU_REFRESH_MARGIN must be a whole number of seconds from 0 to 3600`)
  return 300_000
}

/** The address of the database that keeps the token sets; null: files do. */
function readStore(reader: SettingsReader): Secret | null {
  const value = reader.text('FEISHU_TOKEN_STORE')
  if (value === null || value === 'file') return null
  const url = parseAddress(value)
  if (!url) {
    // The value is not shown: it may hold a password.
    reader.problems.push(say`FEISHU_TOKEN_STORE must be file, or postgres://USER:PASSWORD@HOST/DATABASE`)
    return null
  }
  if (reader.text('FEISHU_TOKEN_KEY_SOURCE')?.toLowerCase() === 'keychain') {
    reader.problems.push(
      say`FEISHU_TOKEN_KEY_SOURCE must be file or env with PostgreSQL: a keychain shares its key with no other machine`,
    )
  }
  if (goesInTheClear(url)) {
    reader.warnings.push(
      say`FEISHU_TOKEN_STORE connects to another machine without checked TLS: add sslmode=verify-full to it.`,
    )
  }
  return new Secret(value)
}

const TLS_OFF = say`NODE_TLS_REJECT_UNAUTHORIZED=0 switches the check of TLS certificates off: anyone in between can take the token.
    Remove it, and set NODE_EXTRA_CA_CERTS if a proxy needs its own certificate authority.`

function readProxy(reader: SettingsReader): Secret | null {
  const own = reader.text('HTTPS_PROXY') ?? reader.text('https_proxy')
  const value = own ?? reader.foreignText('ALL_PROXY') ?? reader.foreignText('all_proxy')
  return value ? new Secret(value) : null
}

function readTargets(reader: SettingsReader, machine: Machine, tokenDir: string): Target[] {
  const setting = reader.text('FEISHU_DELIVER_TO')
  if (setting === null) return []
  try {
    return parseTargets(setting, machine, tokenDir || null)
  } catch (error) {
    reader.problems.push(unended((error as CodedError).said))
    return []
  }
}

const FEISHU_SITES = ['feishu.cn', 'larksuite.com']

/** An origin that secrets are sent to: what only looks like Feishu's is called out. */
function readHost(reader: SettingsReader, name: string): string | null {
  const origin = reader.origin(name)
  if (origin === null) return null
  const url = new URL(origin)
  const known = FEISHU_SITES.some((site) => url.hostname === site || url.hostname.endsWith(`.${site}`))
  if (!known && !isLoopbackUrl(url)) {
    reader.warnings.push(
      say`${name} names ${url.host}, which is not one of Feishu's hosts: it gets the App Secret and the tokens. Remove it unless that is your own deployment.`,
    )
  }
  return origin
}

function readTokenDir(reader: SettingsReader, machine: Machine): string {
  const { isAbsolute } = machine.platform === 'win32' ? win32 : posix
  const value = reader.text('FEISHU_TOKEN_DIR') ?? '~/.feishu-token-mcp'
  if (value.startsWith('~') && !isAbsolute(machine.home)) {
    reader.problems.push(say`FEISHU_TOKEN_DIR must be an absolute path: there is no home directory`)
    return ''
  }
  const path = expandHome(value, machine)
  if (!isAbsolute(path)) {
    reader.warnings.push(
      say`FEISHU_TOKEN_DIR is relative: a client that starts us in another folder finds another store. Make it absolute.`,
    )
  }
  return resolve(path)
}

/**
 * Reads the settings (docs/design.md).
 *
 * @throws CodedError `config_invalid`, listing every problem
 */
export function readConfig(environment: Environment, home: string, platform: NodeJS.Platform): Config {
  const reader = new SettingsReader(environment)
  const machine = { platform, home, environment }
  const callback = readCallback(reader, machine)
  const scopes = reader.text('FEISHU_SCOPES')
  const profile = reader.text('FEISHU_PROFILE') ?? DEFAULT_PROFILE
  if (!PROFILE_NAME.test(profile)) {
    reader.problems.push(
      say`FEISHU_PROFILE must be 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first`,
    )
  }
  const tokenDir = readTokenDir(reader, machine)
  const config: Config = {
    brand: reader.oneOf('FEISHU_BRAND', ['feishu', 'lark'], 'feishu'),
    app: readApp(reader, machine),
    fallbackApp: readFallbackApp(reader),
    accountsUrl: readHost(reader, 'FEISHU_ACCOUNTS_URL'),
    openUrl: readHost(reader, 'FEISHU_TOKEN_GATEWAY') ?? readHost(reader, 'FEISHU_OPEN_URL'),
    mcpUrl: reader.url('FEISHU_MCP_URL', null)?.href ?? null,
    tokenEndpoint: reader.oneOf('FEISHU_TOKEN_ENDPOINT', ['v2', 'v3'], 'v2'),
    ...callback,
    scopes: scopes ? splitScopes(scopes) : [...DEFAULT_SCOPES],
    profile,
    tokenDir,
    store: readStore(reader),
    keySource: reader.oneOf('FEISHU_TOKEN_KEY_SOURCE', ['auto', 'keychain', 'file', 'env'], 'auto'),
    key: readKey(reader),
    autoRefresh: reader.boolean('FEISHU_AUTO_REFRESH', true),
    refreshMarginMs: readMargin(reader),
    deliverTo: readTargets(reader, machine, tokenDir),
    openBrowser: reader.boolean('FEISHU_OPEN_BROWSER', true),
    language: reader.text('FEISHU_LANG') ? reader.oneOf<Language>('FEISHU_LANG', ['en', 'zh'], 'en') : null,
    logLevel: reader.oneOf('FEISHU_LOG_LEVEL', ['error', 'warn', 'info', 'debug'], 'info'),
    proxy: readProxy(reader),
    noProxy: reader.text('NO_PROXY') ?? reader.text('no_proxy'),
    warnings: reader.warnings,
  }
  // Node has read it by itself, and goes on without what it could not find.
  reader.text('NODE_EXTRA_CA_CERTS')
  if (environment.NODE_TLS_REJECT_UNAUTHORIZED === '0') reader.warnings.push(TLS_OFF)
  if (reader.problems.length > 0) throw invalidSettings(reader.problems)
  return config
}

function invalidSettings(problems: Sentence[]): CodedError {
  const different = new Map(problems.map((problem) => [String(problem), problem]))
  return new CodedError(
    'config_invalid',
    say`The settings are not usable: ${series([...different.values()], '; ')}.`,
    {
      nextStep: say`Correct them in the "env" block of the MCP client (or in the shell) and restart the server.`,
    },
  )
}
