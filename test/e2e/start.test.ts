// What a start loads: the time of a start is the time that Node takes to compile what is loaded.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, sep } from 'node:path'
import { expect, test } from 'vitest'
import { PROGRAM, run, type Stage, setStage, startServer } from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

const DIST = dirname(PROGRAM)
/** The lock. Without it nothing could be refreshed: the status says so before anybody needs it. */
const NATIVE = `native/${process.platform}-${process.arch}/fs-native-extensions.node`

type Watch = {
  env: Record<string, string>
  /** The files of modules, below `dist`. */
  loaded: () => string[]
  /** Node's own modules. */
  builtins: () => string[]
}

/** An environment in which a process notes, when it ends, which modules it has loaded. */
function watched(stage: Stage): Watch {
  const probe = join(stage.home, 'probe.cjs')
  const list = join(stage.home, 'loaded.json')
  const files = '[...Object.keys(require.cache), ...natives]'
  writeFileSync(
    probe,
    `const { dlopen } = process, natives = []
    process.dlopen = (module, path) => { natives.push(path); dlopen(module, path) }
    process.on('exit', () => require('fs').writeFileSync(
      process.env.LOADED, JSON.stringify({ files: ${files}, builtins: process.moduleLoadList })))`,
  )
  const noted = () => JSON.parse(readFileSync(list, 'utf8')) as Record<'files' | 'builtins', string[]>
  return {
    env: { NODE_OPTIONS: `--require ${probe}`, LOADED: list },
    builtins: () => noted().builtins,
    loaded: () =>
      noted()
        .files.filter((file) => file !== probe)
        // Windows is given the long form of a path, which begins with \\?\.
        .map((file) => relative(DIST, file.replace(/^\\\\\?\\/, '')).replaceAll(sep, '/'))
        .sort(),
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
    [['token'], ['base.js', 'main.js']],
    [
      ['status', '--json'],
      ['base.js', 'main.js', NATIVE, 'status.js'],
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
  expect(loaded()).toEqual(['main.js', 'server.js', 'vendor/mcp.js'])
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
  expect(loaded()).toEqual(['connect.js', 'main.js', 'server.js', 'vendor/mcp.js'])
})

test('a call of token_status loads no undici and no second set of schemas', async () => {
  const stage = await seeded()
  const { env, loaded } = watched(stage)
  const server = await startServer(stage, { env })
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid' })
  await server.close()
  expect(loaded()).toEqual(['base.js', 'main.js', NATIVE, 'server.js', 'status.js', 'vendor/mcp.js'])
})

// Two bytes a letter would take V8 twice the memory, and its compiler longer.
test('the files that a start compiles are ASCII', () => {
  for (const file of ['main.js', 'base.js', 'status.js', 'exec.js', 'server.js'])
    expect([...readFileSync(join(DIST, file), 'utf8')].filter((letter) => letter > '\x7f')).toEqual([])
})

test('what the SDK evaluates only when it is used is there when it is used', () => {
  const { Server } = createRequire(PROGRAM)('./vendor/mcp.js')
  const server = new Server({ name: 'test', version: '0' }, { capabilities: {} })
  const validate = server._jsonSchemaValidator.getValidator({ type: 'object', required: ['a'] })
  expect([validate({ a: 1 }).valid, validate({}).valid]).toEqual([true, false])
})
