// The rooms of the house and what each may know: the table in docs/development.md, held here. A new import that is not
// in the table is a decision about the design: make it there, or do without it.

import { readdirSync, readFileSync } from 'node:fs'
import { posix } from 'node:path'
import { describe, expect, test } from 'vitest'

type Room = {
  /** A file or a folder (`oauth/`) below `src`. */
  name: string
  /** Rooms, all of them further up in the table; its own files always may be imported, and the ground. */
  imports: string[]
  /** The same and packages, for types alone. */
  types: string[]
  /** Builtin modules of Node, packages, members of `process` (or all of it). */
  touches: string[]
}

/** What every room may stand on: the files that come before the first folder. */
function groundOf(rooms: readonly Room[]): string[] {
  return rooms
    .slice(
      0,
      rooms.findIndex(({ name }) => name.endsWith('/')),
    )
    .map(({ name }) => name)
}

/** The rows of the table of rooms, from the ground up. */
function readRooms(markdown: string): Room[] {
  const [, table = ''] = /^\| room \|[^\n]*\n\| --- [^\n]*\n((?:\|[^\n]*\n)+)/m.exec(markdown) ?? []
  return table
    .trim()
    .split('\n')
    .map((row) => {
      const cells = row.split('|').slice(1, -1)
      const [[name = ''] = [], , imports = [], types = [], touches = []] = cells.map((cell) =>
        [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text),
      )
      return { name, imports, types, touches }
    })
}

const ROOMS = readRooms(readFileSync('docs/development.md', 'utf8'))
const GROUND = groundOf(ROOMS)

/** The one file that reads the wall clock; all others are handed it. */
const WALL_CLOCK = 'main.ts'
/** Passes on the names of a package that has none of its own. */
const REEXPORTS = 'machine/undici.ts'
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

const NAME = /^(?:[a-z0-9-]+\/){0,2}[a-z0-9]+(?:-[a-z0-9]+)*(?:\.d)?\.ts$/

function withoutComments(source: string): string {
  return source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|\s)\/\/.*$/gm, '$1')
}

/** The code alone: of a text only what a template computes. */
function withoutTexts(source: string): string {
  return source.replace(
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\.|[^`\\])*`/g,
    (text) => ` ${[...text.matchAll(/\$\{([^}]*)\}/g)].map(([, code]) => code).join(';')}`,
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

/** The room that a file lies in: the row that names it, or its folder. */
function roomOf(path: string): Room {
  const room = ROOMS.find(({ name }) => name === path || name === `${posix.dirname(path)}/`)
  if (!room) throw new Error(`${path} lies in no room of the table`)
  return ROOMS.find(({ name }) => name === path) ?? room
}

/** A module as the table names it. */
function moduleName(target: string): string {
  if (target.startsWith('node:')) return target.slice('node:'.length)
  return target
    .split('/')
    .slice(0, target.startsWith('@') ? 2 : 1)
    .join('/')
}

/** What an import needs to stand in its room's row, or null where it needs nothing. */
function needOf(path: string, { target }: Import): string | null {
  if (!target.endsWith('.ts')) return moduleName(target)
  const room = roomOf(target).name
  return room === roomOf(path).name || GROUND.includes(room) ? null : room
}

function mayImport(path: string, imported: Import): boolean {
  const { imports, types, touches } = roomOf(path)
  const need = needOf(path, imported)
  return need === null || [...imports, ...touches, ...(imported.typeOnly ? types : [])].includes(need)
}

/** The members of `process` that a source reads. */
function processMembers(code: string): string[] {
  const members = [...code.matchAll(/\bprocess\s*(?:\?\.|\.)\s*(\w+)|\bprocess\s*(?=[;,)}\]]|$)/gm)]
  return members.map(([, member]) => (member ? `process.${member}` : 'process'))
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
  const { touches } = roomOf(path)
  for (const member of touches.includes('process') ? [] : processMembers(code)) {
    if (!touches.includes(member)) found.push(`uses ${member}`)
  }
  if (path !== WALL_CLOCK && /\bDate\s*\.\s*now\b|\bnew\s+Date\s*(?:\(\s*\)|(?=[^\w(\s]))/.test(code)) {
    found.push('reads the wall clock')
  }
  if (/\bconsole\s*\./.test(code)) found.push('uses console')
  if (path !== 'errors.ts' && /\bextends\s+\w*Error\b/.test(source))
    found.push('has an error class of its own')
  if (!path.endsWith('.d.ts') && /\bexport\s+default\b|\bas\s+default\b/.test(source))
    found.push('has a default export')
  if (path !== REEXPORTS && /\bexport\s+(?:type\s+)?(?:\*|\{[^}]*\}\s*from)/.test(source)) {
    found.push('re-exports')
  }
  if (!/^(?:#![^\n]*\n)?\/\/ [^\n]+\n/.test(text))
    found.push('does not begin with a line that says what it is for')
  const name = posix.basename(path).split('.')[0] ?? ''
  if (!NAME.test(path) || EMPTY_NAMES.includes(name)) found.push('has a name that says nothing')
  return found
}

const SOURCES = readdirSync('src', { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => posix.relative('src', posix.join(entry.parentPath.replaceAll('\\', '/'), entry.name)))
  .sort()
const read = (path: string) => readFileSync(posix.join('src', path), 'utf8')

test.each(SOURCES)('%s keeps to its place', (path) => {
  expect(violationsOf(path, read(path))).toEqual([])
})

describe('the table', () => {
  test('names every room, and none that does not exist', () => {
    expect(ROOMS.map(({ name }) => name).toSorted()).toEqual(
      [...new Set(SOURCES.map((path) => roomOf(path).name))].toSorted(),
    )
  })

  test('goes from the ground up: a room imports what comes before it, so nothing runs in a circle', () => {
    for (const [index, { name, imports, types }] of ROOMS.entries()) {
      const before = ROOMS.slice(0, index).map((room) => room.name)
      for (const wanted of [
        ...imports,
        ...types.filter((type) => type.endsWith('/') || type.endsWith('.ts')),
      ]) {
        expect(before, `${name} may import ${wanted}`).toContain(wanted)
      }
    }
  })

  test('allows nothing that nobody needs', () => {
    const unused: string[] = []
    for (const room of ROOMS) {
      const paths = SOURCES.filter((path) => roomOf(path) === room)
      const needs = new Set(
        paths.flatMap((path) => {
          const source = withoutComments(read(path))
          const imported = importsOf(path, source).map((found) => needOf(path, found))
          return [...imported, ...processMembers(withoutTexts(source))]
        }),
      )
      for (const allowed of [...room.imports, ...room.types, ...room.touches]) {
        const needed =
          allowed === 'process' ? [...needs].some((need) => need?.startsWith('process')) : needs.has(allowed)
        if (!needed) unused.push(`${room.name} may use ${allowed}`)
      }
    }
    expect(unused).toEqual([])
  })

  test('keeps the root of the source small', () => {
    expect(SOURCES.filter((path) => !path.includes('/')).length).toBeLessThanOrEqual(8)
  })
})

describe('the guard bites', () => {
  test.each<[string, string, string]>([
    ['oauth/pkce.ts', "import { readFileSync } from 'node:fs'", 'imports node:fs'],
    [
      'oauth/pkce.ts',
      "import type { Config } from '../config/config.ts'",
      'imports config/config.ts (types)',
    ],
    ['oauth/pkce.ts', "const { request } = await import('undici')", 'imports undici'],
    ['store/envelope.ts', "import { take } from '../loopback/listener.ts'", 'imports loopback/listener.ts'],
    ['store/envelope.ts', "import { decode } from '../oauth/token-set.ts'", 'imports oauth/token-set.ts'],
    ['store/envelope.ts', "import { type A, b } from '../config/config.ts'", 'imports config/config.ts'],
    ['store/envelope.ts', "import { request } from 'node:https'", 'imports node:https'],
    [
      'store/files/file-store.ts',
      "import { a } from '../postgres/rows.ts'",
      'imports store/postgres/rows.ts',
    ],
    ['loopback/listener.ts', "import 'node:child_process'", 'imports node:child_process'],
    ['delivery/deliver.ts', "import {\n  a,\n  b,\n} from '../store/lock.ts'", 'imports store/lock.ts'],
    ['gateway/gateway.ts', "import { Agent } from 'undici'", 'imports undici'],
    ['gateway/gateway.ts', "import { go } from '../refresh/refresh.ts'", 'imports refresh/refresh.ts'],
    ['authorize/finish.ts', "import { go } from '../refresh/refresh.ts'", 'imports refresh/refresh.ts'],
    ['refresh/refresh.ts', "import { z } from 'zod'", 'imports zod'],
    ['refresh/refresh.ts', "import { runCli } from '../cli/run.ts'", 'imports cli/run.ts'],
    ['refresh/refresh.ts', "import '../main.ts'", 'imports main.ts'],
    ['refresh/refresh.ts', "import { spawn } from 'node:child_process'", 'imports node:child_process'],
    ['mcp/server.ts', "import { open } from '../store/envelope.ts'", 'imports store/envelope.ts'],
    ['mcp/server.ts', "import { runCli } from '../cli/run.ts'", 'imports cli/run.ts'],
    ['machine/files.ts', "import { resolveApp } from '../app/app.ts'", 'imports app/app.ts'],
    ['status/status.ts', 'const home = process.env.HOME', 'uses process.env'],
    ['status/status.ts', 'const id = process?.pid', 'uses process.pid'],
    ['status/status.ts', 'const { env } = globalThis.process', 'uses process'],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a source that holds one
    ['status/status.ts', '`at ${process.uptime()}`', 'uses process.uptime'],
    ['status/status.ts', 'read(process)', 'uses process'],
    ['machine/files.ts', 'process.exit(1)', 'uses process.exit'],
    ['status/status.ts', 'const now = Date.now()', 'reads the wall clock'],
    ['status/status.ts', 'createClock(Date.now, elapsed)', 'reads the wall clock'],
    ['status/status.ts', 'const now = new Date()', 'reads the wall clock'],
    ['status/status.ts', 'console.log(tokenSet)', 'uses console'],
    ['status/status.ts', 'class StatusError extends Error {}', 'has an error class of its own'],
    ['status/status.ts', 'class StatusError extends CodedError {}', 'has an error class of its own'],
    ['status/status.ts', 'export default function status() {}', 'has a default export'],
    ['status/status.ts', 'export { status as default }', 'has a default export'],
    ['status/status.ts', "export * from './fields.ts'", 're-exports'],
    ['status/status.ts', "export { fields } from './fields.ts'", 're-exports'],
    ['status/status.ts', '/** The status. */', 'does not begin with a line that says what it is for'],
    ['oauth/index.ts', '', 'has a name that says nothing'],
    ['store/utils.ts', '', 'has a name that says nothing'],
    ['oauth/tokenSet.ts', '', 'has a name that says nothing'],
  ])('%s: %s', (path, source, violation) => {
    expect(violationsOf(path, `const before = 1\n${source}\n`)).toContain(violation)
  })

  test.each(['shared/thing.ts', 'token-store.ts'])('on %s, which lies in no room', (path) => {
    expect(() => violationsOf(path, "import './other.ts'")).toThrow('no room')
  })

  test.each<[string, string]>([
    ['oauth/pkce.ts', "import { createHash } from 'node:crypto'\nimport { CodedError } from '../errors.ts'"],
    ['store/envelope.ts', "import type { A } from '../oauth/token-set.ts'"],
    [
      'refresh/refresh.ts',
      "// reads process.env and Date.now()\n/* import 'zod' */\nconst at = new Date(now).toISOString()",
    ],
    ['refresh/refresh.ts', "const why = 'ends this process. See https://x.example/process.html'"],
    ['main.ts', 'process.exit(await runCli(process.argv, Date.now()))'],
  ])('and not on what %s may do', (path, source) => {
    expect(violationsOf(path, `// What it is for.\n\n${source}`)).toEqual([])
  })
})
