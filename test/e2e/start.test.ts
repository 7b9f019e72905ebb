// What a start loads: the time of a start is the time that Node takes to compile what is loaded.

import { execFileSync, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import {
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/folder.ts'
import { PROGRAM, run, type Stage, setStage, startServer } from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

const DIST = dirname(PROGRAM)
/** What the build keeps for the Node that runs it. */
const CODE = `cache/${process.version}-${process.platform}-${process.arch}`
/** The lock. Without it nothing could be refreshed: the status says so before anybody needs it. */
const NATIVE = `native/${process.platform}-${process.arch}/fs-native-extensions.node`

type Watch = {
  env: Record<string, string>
  /** The program's files, below `dist`. */
  loaded: () => string[]
  /** Those of them that were compiled, because the build had kept no code that this Node takes. */
  compiled: () => string[]
  /** Node's own modules. */
  builtins: () => string[]
}

/** An environment in which a process notes, when it ends, which modules it has loaded. */
function watched(stage: Stage, options = ''): Watch {
  const probe = join(stage.home, 'probe.cjs')
  const list = join(stage.home, 'loaded.json')
  writeFileSync(
    probe,
    `const vm = require('vm'), { dlopen } = process, loaded = [], compiled = []
    vm.Script = class extends vm.Script {
      constructor(source, options) {
        super(source, options)
        loaded.push(options.filename)
        if (this.cachedDataRejected !== false) compiled.push(options.filename)
      }
    }
    process.dlopen = (module, path) => { loaded.push(path); dlopen(module, path) }
    process.on('exit', () => require('fs').writeFileSync(
      process.env.LOADED, JSON.stringify({ loaded, compiled, builtins: process.moduleLoadList })))`,
  )
  const noted = (key: keyof Omit<Watch, 'env'>): string[] => JSON.parse(readFileSync(list, 'utf8'))[key]
  const files = (key: 'loaded' | 'compiled') =>
    noted(key)
      // Windows is given the long form of a path, which begins with \\?\.
      .map((file) => relative(DIST, file.replace(/^\\\\\?\\/, '')).replaceAll(sep, '/'))
      .sort()
  return {
    env: { NODE_OPTIONS: `--require ${probe} ${options}`, LOADED: list },
    loaded: () => files('loaded'),
    compiled: () => files('compiled'),
    builtins: () => noted('builtins'),
  }
}

async function seeded(): Promise<Stage> {
  const stage = await setStage()
  const { sandbox, tokenDir } = stage
  const id = { brand: 'feishu', appId: sandbox.app.appId, profile: 'default' } as const
  await storeIssued(openStore(tokenDir), id, sandbox.issue(), sandbox.user, Date.now())
  return stage
}

test('token and status load nothing but our own code while the token is valid: no SDK, no zod, no undici', async () => {
  const stage = await seeded()
  const { env, loaded, builtins } = watched(stage)
  for (const [args, files] of [
    [['token'], ['base.js', 'start.js']],
    [
      ['status', '--json'],
      ['base.js', NATIVE, 'start.js', 'status.js'],
    ],
  ] satisfies [string[], string[]][]) {
    expect((await run(stage, args, { env })).code).toBe(0)
    expect(loaded()).toEqual(files)
    // The price of a stream on a pipe, of a way to load modules, of a compressor, of a clock.
    for (const dear of ['net', 'module', 'zlib', 'perf_hooks'])
      expect(builtins()).not.toContain(`NativeModule ${dear}`)
  }
  expect(stage.sandbox.requests).toEqual([])
})

test('a refresh loads undici, so the watch sees what is loaded', async () => {
  const stage = await seeded()
  const { env, loaded, builtins } = watched(stage)
  expect((await run(stage, ['refresh', '--force'], { env })).code).toBe(0)
  expect(loaded()).toContain('vendor/undici.js')
  expect(builtins()).toContain('NativeModule net')
})

test('the server answers its client without a store, a key or undici', async () => {
  const stage = await seeded()
  const { env, loaded } = watched(stage)
  const server = await startServer(stage, { env })
  await server.client.listTools()
  await server.close()
  expect(loaded()).toEqual(['server.js', 'start.js', 'vendor/mcp.js'])
})

test('connect answers its client with the server’s files and its own alone', async () => {
  const stage = await seeded()
  const { env, loaded } = watched(stage)
  const child = spawn(process.execPath, [PROGRAM, 'connect'], { env: { ...stage.env, ...env } })
  const params = {
    protocolVersion: '2025-06-18',
    capabilities: {},
    clientInfo: { name: 'test', version: '1' },
  }
  child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'initialize', params })}\n`)
  await once(child.stdout, 'data')
  child.stdin.end()
  await once(child, 'close')
  expect(loaded()).toEqual(['connect.js', 'server.js', 'start.js', 'vendor/mcp.js'])
})

test('a call of token_status loads no undici and no second set of schemas', async () => {
  const stage = await seeded()
  const { env, loaded } = watched(stage)
  const server = await startServer(stage, { env })
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid' })
  await server.close()
  expect(loaded()).toEqual(['base.js', NATIVE, 'server.js', 'start.js', 'status.js', 'vendor/mcp.js'])
})

test('a start compiles no file: it takes the code that the build has kept', async () => {
  const stage = await seeded()
  const { env, loaded, compiled } = watched(stage)
  for (const args of [['token'], ['status', '--json'], ['exec', '--', process.execPath, '--version']]) {
    expect((await run(stage, args, { env })).code).toBe(0)
    expect(loaded()).toContain('base.js')
    expect(compiled()).toEqual([])
  }
  const server = await startServer(stage, { env })
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid' })
  await server.close()
  expect(compiled()).toEqual([])
})

// Node has such options in NODE_OPTIONS; another Node does the like.
test('a start whose Node takes no code of another one compiles its files', async () => {
  const stage = await seeded()
  const { env, loaded, compiled } = watched(stage, '--stack-trace-limit=50')
  const { code, stdout } = await run(stage, ['status', '--json'], { env })
  expect([code, JSON.parse(stdout).status]).toEqual([0, 'valid'])
  expect(compiled()).toEqual(loaded().filter((file) => file !== NATIVE))
})

test.each<[how: string, change: (code: string) => void]>([
  ['is not there, as in a package from npm', (code) => rmSync(code, { recursive: true })],
  [
    'was cut off',
    (code) => {
      for (const name of readdirSync(code)) truncateSync(join(code, name), 5000)
    },
  ],
])('a program whose kept code %s does the same', async (_how, change) => {
  const dist = join(makeFolder(), 'dist')
  cpSync(DIST, dist, { recursive: true, preserveTimestamps: true })
  change(join(dist, CODE))
  const server = await startServer(await seeded(), { program: join(dist, 'main.js') })
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid' })
  await server.close()
})

test('a file that was changed since it was built is compiled, whatever its length', async () => {
  const dist = join(makeFolder(), 'dist')
  cpSync(DIST, dist, { recursive: true, preserveTimestamps: true })
  const main = join(dist, 'main.js')
  const told = () => execFileSync(process.execPath, [main, '--version'], { encoding: 'utf8' }).trim()
  const version = told()
  const path = join(dist, 'start.js')
  const changed = version.replaceAll(/\d/g, '7')
  writeFileSync(path, readFileSync(path, 'utf8').replaceAll(`"${version}"`, `"${changed}"`))
  expect(told()).toBe(changed)
  // The control: as it would be if the file were not looked at.
  const { atime, mtime } = statSync(join(DIST, 'start.js'))
  utimesSync(path, atime, mtime)
  expect(told()).toBe(version)
})

test('code is kept under the name of what it was made of: never is that of another build run', () => {
  for (const file of ['start.js', 'base.js', 'status.js', 'server.js', 'vendor/mcp.js']) {
    const [, content = '', name = ''] =
      /^(.*)\/\/(\w+)\n$/s.exec(readFileSync(join(DIST, file), 'utf8')) ?? []
    expect(createHash('sha256').update(content).digest('hex').slice(0, 16)).toBe(name)
    expect(readdirSync(join(DIST, CODE))).toContain(name)
  }
})

// Two bytes a letter would take V8 twice the memory, and its compiler longer.
test('the files that a start compiles are ASCII', () => {
  for (const file of ['start.js', 'base.js', 'status.js', 'exec.js', 'server.js'])
    expect([...readFileSync(join(DIST, file), 'utf8')].filter((letter) => letter > '\x7f')).toEqual([])
})

test('what the SDK evaluates only when it is used is there when it is used', () => {
  const { Server } = createRequire(PROGRAM)('./vendor/mcp.js')
  const server = new Server({ name: 'test', version: '0' }, { capabilities: {} })
  const validate = server._jsonSchemaValidator.getValidator({ type: 'object', required: ['a'] })
  expect([validate({ a: 1 }).valid, validate({}).valid]).toEqual([true, false])
})
