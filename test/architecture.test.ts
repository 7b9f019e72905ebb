// The rooms of the house and what each may know (DESIGN: where each line lives), as data. A new import that is not in
// this table is a decision about the design: make it here, or do without it.

import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'

type Rule = {
  /** Files, folders (`oauth/`) and groups (`verbs`, `ground`) that may be imported; its own folder always may. */
  imports: readonly string[]
  /** The same, for types alone. */
  types?: readonly string[]
  /** What it may touch, by the builtin modules of Node. */
  node?: readonly string[]
  packages?: readonly string[]
}

/** What every other file may stand on; each names all that it stands on itself. */
const GROUND: Readonly<Record<string, Rule>> = {
  'errors.ts': { imports: [] },
  'secret.ts': { imports: [], node: ['util'] },
  'files.ts': { imports: ['errors.ts'], node: ['crypto', 'fs', 'path'] },
  'settings-reader.ts': { imports: [] },
  'profile-name.ts': { imports: [] },
  'language.ts': { imports: [], types: ['settings-reader.ts'] },
  'config.ts': {
    imports: [
      'errors.ts',
      'profile-name.ts',
      'secret.ts',
      'settings-reader.ts',
      'delivery/targets.ts',
      'store/postgres-address.ts',
    ],
    types: ['language.ts'],
    node: ['path'],
  },
  'clock.ts': { imports: ['oauth/token-set.ts'] },
  'activity.ts': {
    imports: ['files.ts', 'oauth/answer.ts'],
    types: ['oauth/token-endpoint.ts'],
    node: ['fs'],
  },
  'undici.ts': { imports: [], packages: ['undici'] },
  'transport.ts': {
    imports: ['errors.ts', 'files.ts', 'settings-reader.ts', 'undici.ts'],
    types: ['oauth/token-endpoint.ts', 'secret.ts', 'undici'],
    node: ['diagnostics_channel', 'zlib'],
  },
}

/** The rooms: none knows another, but for the shape of a token set, and none knows what it is used for. */
const ROOMS: Readonly<Record<string, Rule>> = {
  'oauth/': { imports: ['errors.ts', 'secret.ts'], node: ['crypto', 'zlib'] },
  'store/': {
    imports: ['errors.ts', 'files.ts', 'secret.ts', 'oauth/token-set.ts'],
    types: ['config.ts'],
    node: ['child_process', 'crypto', 'fs', 'os', 'path'],
    packages: ['fs-native-extensions', 'pg'],
  },
  'loopback/': { imports: ['errors.ts'], node: ['crypto', 'events', 'fs', 'http', 'https', 'net'] },
  'delivery/': {
    imports: ['errors.ts', 'files.ts'],
    node: ['child_process', 'crypto', 'fs', 'os', 'path', 'timers/promises', 'util'],
    packages: ['@decimalturn/toml-patch', 'fs-native-extensions', 'jsonc-parser'],
  },
  'gateway/': {
    imports: ['errors.ts'],
    types: ['undici'],
    node: ['crypto', 'events', 'http', 'net', 'stream', 'zlib'],
  },
  // What is said in English elsewhere, in Chinese.
  'chinese/': { imports: ['oauth/feishu-errors.ts'] },
  // The two thin rooms above the verbs, which only translate.
  'mcp/': {
    imports: ['verbs', 'ground'],
    types: ['oauth/'],
    node: ['stream'],
    packages: ['@modelcontextprotocol/sdk', 'zod'],
  },
  'cli/': {
    imports: ['verbs', 'ground', 'chinese/', 'delivery/', 'oauth/'],
    types: ['gateway/', 'store/'],
    node: ['child_process', 'fs', 'os', 'path', 'stream', 'string_decoder', 'util'],
    packages: ['@decimalturn/toml-patch', 'jsonc-parser', 'uqr'],
  },
}

/** Every other file at the root: the verbs and what they share. */
const VERBS: Rule = {
  imports: ['verbs', 'ground', 'delivery/', 'gateway/', 'loopback/', 'oauth/', 'store/'],
  types: ['undici'],
  node: ['fs', 'path'],
}

/** What is started as a program: nobody imports it. */
const PROGRAMS: Readonly<Record<string, Rule>> = {
  'main.ts': {
    imports: ['verbs', 'ground', 'cli/', 'mcp/'],
    node: ['os', 'path'],
    packages: ['open'],
  },
  'keychain-child.ts': {
    imports: ['store/keychain.ts'],
    node: ['worker_threads'],
    packages: ['@napi-rs/keyring'],
  },
}

/** `process` is for the programs; these members alone are read elsewhere: what machine and what process this is. */
const PROCESS: Readonly<Record<string, readonly string[]>> = {
  'activity.ts': ['pid'],
  'files.ts': ['geteuid', 'platform'],
  'store/lock.ts': ['arch', 'pid', 'platform'],
  'store/leased-profile.ts': ['pid'],
  'store/locked-files.ts': ['pid'],
  'store/machine-lease.ts': ['pid'],
}

/** The wall clock is handed in; only the composition root reads it. */
const WALL_CLOCK = ['main.ts']
/** Passes on the names of a package that has none of its own. */
const REEXPORTS = ['undici.ts']
/** Names of files that say nothing about what is in them. */
const EMPTY_NAMES = [
  'base',
  'common',
  'helper',
  'helpers',
  'index',
  'manager',
  'misc',
  'service',
  'util',
  'utils',
]

const NAME = /^(?:[a-z0-9-]+\/)?[a-z0-9]+(?:-[a-z0-9]+)*(?:\.d)?\.ts$/

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

/** The code alone: of a text only what a template computes. */
function withoutTexts(source: string): string {
  return source.replace(/"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g, (text) =>
    [...text.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code).join(';'),
  )
}

type Import = { target: string; typeOnly: boolean }

/** What a file imports: files by their path below `src`, modules by their name. */
function importsOf(path: string, source: string): Import[] {
  const statics = [
    ...source.matchAll(/\b(?:import|export)\s+(type\s)?([^'";]*?)\s*from\s*['"]([^'"]+)['"]/g),
  ].map(([, type, names = '', target = '']) => {
    const members = /^\{([^}]*)\}$/.exec(names)?.[1]?.split(',') ?? ['all']
    const named = members.map((member) => member.trim()).filter(Boolean)
    return { target, typeOnly: Boolean(type) || named.every((member) => member.startsWith('type ')) }
  })
  const others = [
    ...source.matchAll(/\b(?:import|require)\s*\(\s*['"]([^'"]+)['"]|\bimport\s*['"]([^'"]+)['"]/g),
  ].map(([, dynamic, bare]) => ({ target: dynamic ?? bare ?? '', typeOnly: false }))
  return [...statics, ...others].map(({ target, typeOnly }) => ({
    target: target.startsWith('.') ? posix.join(posix.dirname(path), target) : target,
    typeOnly,
  }))
}

function ruleOf(path: string): Rule {
  const room = path.includes('/') ? `${path.split('/')[0]}/` : null
  const rule = room ? ROOMS[room] : (GROUND[path] ?? PROGRAMS[path] ?? VERBS)
  if (!rule) throw new Error(`${path} lies in no room of the table`)
  return rule
}

function groupsOf(path: string): string[] {
  const [room = ''] = path.split('/')
  if (path.includes('/')) return [path, `${room}/`]
  if (path in GROUND) return [path, 'ground']
  return path in PROGRAMS ? [path] : [path, 'verbs']
}

function mayImport(path: string, { target, typeOnly }: Import): boolean {
  const { imports, types = [], node = [], packages = [] } = ruleOf(path)
  const allowed = typeOnly ? [...imports, ...packages, ...types] : [...imports, ...packages]
  if (target.startsWith('node:')) return node.includes(target.slice('node:'.length))
  if (!target.endsWith('.ts')) return allowed.some((name) => target === name || target.startsWith(`${name}/`))
  const own = path.includes('/') && posix.dirname(path) === posix.dirname(target)
  return own || groupsOf(target).some((group) => allowed.includes(group))
}

/** What a source does that its place does not allow. */
function violationsOf(path: string, text: string): string[] {
  const source = withoutComments(text)
  const found: string[] = []
  for (const imported of importsOf(path, source)) {
    if (!mayImport(path, imported))
      found.push(`imports ${imported.target}${imported.typeOnly ? ' (types)' : ''}`)
  }
  const code = withoutTexts(source)
  const members = [...code.matchAll(/\bprocess\s*(?:\?\.|\.)\s*(\w+)|\bprocess\s*(?=[;,)}\]]|$)/gm)]
  for (const [, member = 'as a whole'] of path in PROGRAMS ? [] : members) {
    if (!PROCESS[path]?.includes(member)) found.push(`uses process ${member}`)
  }
  if (
    !WALL_CLOCK.includes(path) &&
    /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?=[^\w(\s]))/.test(code)
  ) {
    found.push('reads the wall clock')
  }
  if (/\bconsole\s*\./.test(code)) found.push('uses console')
  if (path !== 'errors.ts' && /\bextends\s+\w*Error\b/.test(source))
    found.push('has an error class of its own')
  if (!path.endsWith('.d.ts') && /\bexport\s+default\b|\bas\s+default\b/.test(source))
    found.push('has a default export')
  if (!REEXPORTS.includes(path) && /\bexport\s+(?:type\s+)?(?:\*|\{[^}]*\}\s*from)/.test(source)) {
    found.push('re-exports')
  }
  const name = posix.basename(path).split('.')[0] ?? ''
  if (!NAME.test(path) || EMPTY_NAMES.includes(name)) found.push('has a name that says nothing')
  return found
}

const SOURCES = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => posix.relative('src', posix.join(entry.parentPath, entry.name)))
  .sort()
const read = (path: string) => readFileSync(posix.join('src', path), 'utf8')

test.each(SOURCES)('%s keeps to its place', (path) => {
  expect(violationsOf(path, read(path))).toEqual([])
})

describe('the table', () => {
  test('names no room, file or exception that does not exist', () => {
    const folders = new Set(
      SOURCES.filter((path) => path.includes('/')).map((path) => `${path.split('/')[0]}/`),
    )
    expect(Object.keys(ROOMS).sort()).toEqual([...folders].sort())
    for (const path of [
      ...Object.keys({ ...GROUND, ...PROGRAMS, ...PROCESS }),
      ...WALL_CLOCK,
      ...REEXPORTS,
    ]) {
      expect(SOURCES).toContain(path)
    }
  })

  test('allows nothing that nobody needs', () => {
    const unused: string[] = []
    const rules = { ...GROUND, ...PROGRAMS, ...ROOMS, 'a verb': VERBS }
    for (const [name, rule] of Object.entries(rules)) {
      const paths = SOURCES.filter((path) => ruleOf(path) === rule)
      const targets = paths
        .flatMap((path) => importsOf(path, withoutComments(read(path))))
        .map(({ target }) => target)
      const groups = new Set(
        targets.flatMap((target) => (target.endsWith('.ts') ? groupsOf(target) : [target])),
      )
      const { imports, types = [], node = [], packages = [] } = rule
      for (const allowed of [...imports, ...types, ...packages, ...node.map((module) => `node:${module}`)]) {
        const needed = [...groups].some((group) => group === allowed || group.startsWith(`${allowed}/`))
        if (!needed) unused.push(`${name} may import ${allowed}`)
      }
    }
    for (const [path, members] of Object.entries(PROCESS)) {
      for (const member of members)
        if (!read(path).includes(`process.${member}`)) unused.push(`${path} ${member}`)
    }
    expect(unused).toEqual([])
  })

  test('lets nobody import a program, and a room no other room', () => {
    const rooms = ['oauth/', 'store/', 'loopback/', 'delivery/', 'gateway/']
    for (const room of rooms) {
      const { imports, types = [] } = ROOMS[room] ?? VERBS
      const others = [...imports, ...types].filter((name) =>
        rooms.some((other) => name === other && name !== room),
      )
      expect([room, others]).toEqual([room, []])
    }
    expect(Object.keys(PROGRAMS).flatMap(groupsOf)).toEqual(Object.keys(PROGRAMS))
  })
})

describe('the guard bites', () => {
  test.each<[string, string, string]>([
    ['oauth/pkce.ts', "import { readFileSync } from 'node:fs'", 'imports node:fs'],
    ['oauth/pkce.ts', "import type { Config } from '../config.ts'", 'imports config.ts (types)'],
    ['oauth/pkce.ts', "const { request } = await import('undici')", 'imports undici'],
    [
      'store/envelope.ts',
      "import { listenForCallback } from '../loopback/listener.ts'",
      'imports loopback/listener.ts',
    ],
    [
      'store/envelope.ts',
      "import { feishuError } from '../oauth/feishu-errors.ts'",
      'imports oauth/feishu-errors.ts',
    ],
    ['store/envelope.ts', "import { type Brand, readConfig } from '../config.ts'", 'imports config.ts'],
    ['store/envelope.ts', "import { request } from 'node:https'", 'imports node:https'],
    [
      'loopback/listener.ts',
      "import type { TokenSet } from '../oauth/token-set.ts'",
      'imports oauth/token-set.ts (types)',
    ],
    ['loopback/listener.ts', "import 'node:child_process'", 'imports node:child_process'],
    [
      'delivery/deliver.ts',
      "import {\n  a,\n  b,\n} from '../store/file-store.ts'",
      'imports store/file-store.ts',
    ],
    ['gateway/gateway.ts', "import { Agent } from 'undici'", 'imports undici'],
    ['gateway/gateway.ts', "import { refreshToken } from '../refresh.ts'", 'imports refresh.ts'],
    ['refresh.ts', "import { z } from 'zod'", 'imports zod'],
    [
      'refresh.ts',
      "import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'",
      'imports @modelcontextprotocol/sdk/server/mcp.js',
    ],
    ['refresh.ts', "import { runCli } from './cli/run.ts'", 'imports cli/run.ts'],
    ['refresh.ts', "import './main.ts'", 'imports main.ts'],
    ['refresh.ts', "import { spawn } from 'node:child_process'", 'imports node:child_process'],
    ['mcp/server.ts', "import { open } from '../store/envelope.ts'", 'imports store/envelope.ts'],
    ['mcp/server.ts', "import { runCli } from '../cli/run.ts'", 'imports cli/run.ts'],
    ['cli/run.ts', "import { z } from 'zod'", 'imports zod'],
    ['files.ts', "import { resolveApp } from './app.ts'", 'imports app.ts'],
    ['status.ts', 'const home = process.env.HOME', 'uses process env'],
    ['status.ts', 'const id = process?.pid', 'uses process pid'],
    ['status.ts', 'const { env } = globalThis.process', 'uses process as a whole'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a source that holds one
    ['status.ts', '`at ${process.uptime()}`', 'uses process uptime'],
    ['status.ts', 'read(process)', 'uses process as a whole'],
    ['files.ts', 'process.exit(1)', 'uses process exit'],
    ['status.ts', 'const now = Date.now()', 'reads the wall clock'],
    ['status.ts', 'createClock(Date.now, elapsed)', 'reads the wall clock'],
    ['status.ts', 'const now = new Date()', 'reads the wall clock'],
    ['status.ts', 'console.log(tokenSet)', 'uses console'],
    ['status.ts', 'class StatusError extends Error {}', 'has an error class of its own'],
    ['status.ts', 'class StatusError extends CodedError {}', 'has an error class of its own'],
    ['status.ts', 'export default function status() {}', 'has a default export'],
    ['status.ts', 'export { status as default }', 'has a default export'],
    ['status.ts', "export * from './refresh.ts'", 're-exports'],
    ['status.ts', "export { refreshToken } from './refresh.ts'", 're-exports'],
    ['oauth/index.ts', '', 'has a name that says nothing'],
    ['store/utils.ts', '', 'has a name that says nothing'],
    ['tokenStore.ts', '', 'has a name that says nothing'],
  ])('%s: %s', (path, source, violation) => {
    expect(violationsOf(path, `const before = 1\n${source}\n`)).toContain(violation)
  })

  test('on a file in a folder that is no room', () => {
    expect(() => violationsOf('shared/thing.ts', "import './other.ts'")).toThrow('no room')
  })

  test.each<[string, string]>([
    ['oauth/pkce.ts', "import { createHash } from 'node:crypto'\nimport { CodedError } from '../errors.ts'"],
    [
      'store/envelope.ts',
      "import type { Brand } from '../config.ts'\nimport { type Brand as B } from '../config.ts'",
    ],
    [
      'refresh.ts',
      "// reads process.env and Date.now()\n/* import 'zod' */\nconst at = new Date(now).toISOString()",
    ],
    ['refresh.ts', "const why = 'ends this process. See https://x.example/process.html'"],
    ['main.ts', 'process.exit(await runCli(process.argv, Date.now()))'],
  ])('and not on what %s may do', (path, source) => {
    expect(violationsOf(path, source)).toEqual([])
  })
})
