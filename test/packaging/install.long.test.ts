// What a user gets: the packed package, installed from the registry into an empty folder.

import { execFile } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { makeFolder } from '../support/folder.ts'
import { runOrSkip } from '../support/registry.ts'

/** What a user waits for at the first `npx`. */
const MAX_PACKAGES = 3
const MAX_BYTES = 8 * 1024 * 1024

type File = { path: string; size: number }

/** Packs what was built, into a folder. */
async function pack(folder: string): Promise<{ tarball: string; files: File[] }> {
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', folder]
  const { stdout } = await promisify(execFile)('npm', args)
  const parsed = JSON.parse(stdout)
  // An array until npm 11, by the package's name since.
  const [{ filename, files }] = Object.values(parsed) as [{ filename: string; files: File[] }]
  return { tarball: join(folder, filename), files }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
}

/** Installs it as a user would, and gives the folder of the packages. */
async function install(context: TestContext): Promise<string> {
  const folder = makeFolder()
  const { tarball } = await pack(folder)
  const prefix = join(folder, 'empty')
  await runOrSkip(context, 'npm', [
    'install',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--prefix',
    prefix,
    tarball,
  ])
  return join(prefix, 'node_modules')
}

test('the package holds the program and its documents, and nothing of how it is made', async () => {
  const { files } = await pack(makeFolder())
  const paths = files.map(({ path }) => path)
  expect(paths).toEqual(
    expect.arrayContaining(['dist/main.js', 'dist/THIRD-PARTY-LICENSES.txt', 'LICENSE', 'README.md']),
  )
  const strange = /(^|\/)(test|src|bench|node_modules|\..*)(\/|$)|\.(ts|map|tgz|mcpb|env|log)$|token\.json$/
  expect(paths.filter((path) => strange.test(path))).toEqual([])
  // Code for the Node that has built it, which no other may be handed.
  expect(existsSync('dist/cache')).toBe(true)
  expect(paths.filter((path) => path.startsWith('dist/cache'))).toEqual([])
  const outside = paths.filter((path) => !/^(dist|docs)\//.test(path)).sort()
  expect(outside).toEqual(['CHANGELOG.md', 'LICENSE', 'README.md', 'mcp.json.example', 'package.json'])
})

test('no file of it names a folder of the machine on which it was built', async () => {
  const { files } = await pack(makeFolder())
  const places = [
    process.cwd(),
    ...(process.env.HOME && process.env.HOME !== '/' ? [`${process.env.HOME}/`] : []),
  ]
  for (const { path } of files) {
    for (const place of places)
      expect(readFileSync(path).includes(place), `${path} names ${place}`).toBe(false)
  }
})

test('installed without scripts it is at most 3 packages and 8 MB, and its bin serves the tools', async (context) => {
  const folder = await install(context)
  const all = filesBelow(folder)
  const packages = all.filter((file) => /node_modules\/(@[^/]+\/)?[^/]+\/package\.json$/.test(file))
  expect(packages.length, packages.join('\n')).toBeLessThanOrEqual(MAX_PACKAGES)
  const bytes = all.reduce((sum, file) => sum + statSync(file).size, 0)
  expect(bytes).toBeLessThanOrEqual(MAX_BYTES)

  const bin = join(folder, '.bin', 'feishu-token-mcp')
  const env = { PATH: process.env.PATH ?? '', HOME: makeFolder() }
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(new StdioClientTransport({ command: bin, env }))
  onTestFinished(() => client.close())
  const { tools } = await client.listTools()
  expect(tools.map(({ name }) => name)).toEqual(['start_authorization', 'token_status', 'refresh_token'])
  const { stdout } = await promisify(execFile)(bin, ['--help'], { env })
  expect(stdout).toContain('Commands:')
}, 180_000)
