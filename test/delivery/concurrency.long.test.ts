// Other programs that write to the same file at the same moments, and deaths at any moment.
// FEISHU_TEST_LONG=1 runs the long versions.

import { type ChildProcess, execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { testIf } from '../support/needs.ts'
import { type Home, makeHome } from './home.ts'
import { makeToken } from './token.ts'

const LONG = Boolean(process.env.FEISHU_TEST_LONG)
const ROUNDS = LONG ? 1_000 : 50
const KILLS = LONG ? 200 : 12
/** A round of a delivery takes about this long: the editor's moment lies anywhere in it. */
const ROUND_MS = 8
const LONG_TEST_MS = 300_000

const root = fileURLToPath(new URL('../..', import.meta.url))
const editor = fileURLToPath(new URL('../fixtures/delivery/editor.mjs', import.meta.url))
let folder = ''

beforeAll(() => {
  // Inside the project, so that packages are found.
  folder = mkdtempSync(join(root, 'node_modules', '.deliver-forever-'))
  const options = ['--bundle', '--packages=external', '--platform=node', '--format=esm']
  const source = fileURLToPath(new URL('deliver-forever.ts', import.meta.url))
  const esbuild = join(root, 'node_modules', 'esbuild', 'bin', 'esbuild')
  execFileSync(esbuild, [source, ...options, `--outfile=${folder}/loop.mjs`, '--log-level=warning'])
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function start(module: string, ...args: string[]): Promise<ChildProcess> {
  const child = fork(module, args, { stdio: 'inherit' })
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'message')
  return child
}

/** Passes time in another process's work; a timer only knows milliseconds. */
function spin(ms: number): void {
  const endAt = performance.now() + ms
  while (performance.now() < endAt);
}

function putConfig(home: Home): string {
  const lark = { command: 'npx', args: ['-y', 'x'], env: { USER_ACCESS_TOKEN: 'x' } }
  return home.put('mcp.json', JSON.stringify({ edits: [], mcpServers: { lark } }, null, 2))
}

type Config = { edits: number[]; mcpServers: { lark: { env: { USER_ACCESS_TOKEN: string } } } }

/** Lets an editor and deliveries run against each other; the number of edits that were lost. */
async function race(
  home: Home,
  how: string,
  deliver: (round: number) => Promise<unknown>,
): Promise<{ lost: number; config: Config }> {
  const path = putConfig(home)
  // What an editor puts back is a token of ours then, and not somebody's own value, which would be left alone.
  await deliver(-1)
  const child = await start(editor, path, how)
  for (let round = 0; round < ROUNDS; round++) {
    const edited = once(child, 'message')
    child.send({ edit: round, afterMs: Math.random() * ROUND_MS })
    await Promise.all([edited, deliver(round)])
  }
  const config = JSON.parse(readFileSync(path, 'utf8')) as Config
  return { lost: ROUNDS - new Set(config.edits).size, config }
}

test.each(['rename', 'in-place'])(
  'an editor that saves by %s at random moments loses no edit',
  async (how) => {
    const home = makeHome()
    const statuses: string[] = []
    const { lost, config } = await race(home, how, async (round) => {
      const [delivery] = await home.deliver('mcp:~/mcp.json#lark', makeToken(`${round}`))
      statuses.push(delivery?.status ?? '')
    })
    expect(lost).toBe(0)
    // An editor that had read the file before the delivery puts the older token back: the next delivery mends that.
    await home.deliver('mcp:~/mcp.json#lark', makeToken('last'))
    const after = JSON.parse(home.read('mcp.json')) as Config
    expect(after.edits).toEqual(config.edits)
    expect(after.mcpServers.lark.env.USER_ACCESS_TOKEN).toBe(makeToken('last').accessToken)
    // An editor that saw the token in a moment of a contested exchange may have saved it for us.
    expect(statuses.filter((status) => status !== 'delivered' && status !== 'unchanged')).toEqual([])
    expect(readdirSync(home.path).filter((name) => name.endsWith('.tmp'))).toEqual([])
  },
  LONG_TEST_MS,
)

testIf(LONG ? null : 'set FEISHU_TEST_LONG=1')(
  'control: read, edit and rename without looking again loses edits',
  async () => {
    const home = makeHome()
    const path = join(home.path, 'mcp.json')
    const { lost } = await race(home, 'rename', async (round) => {
      const config = JSON.parse(readFileSync(path, 'utf8')) as Config
      config.mcpServers.lark.env.USER_ACCESS_TOKEN = makeToken(`${round}`).accessToken
      spin(2)
      writeFileSync(`${path}.new`, JSON.stringify(config, null, 2))
      renameSync(`${path}.new`, path)
    })
    expect(lost).toBeGreaterThan(0)
  },
  LONG_TEST_MS,
)

test(
  'a kill at any moment leaves a whole file',
  async () => {
    const home = makeHome()
    const path = putConfig(home)
    const [before = '', behind = ''] = home.read('mcp.json').split('"USER_ACCESS_TOKEN": "x"')
    const allowed = new Set(
      ['x', ...[0, 1, 2, 3, 4].map((turn) => makeToken(`turn ${turn}`).accessToken)].map(
        (token) => `${before}"USER_ACCESS_TOKEN": "${token}"${behind}`,
      ),
    )
    for (let kill = 0; kill < KILLS; kill++) {
      const child = await start(join(folder, 'loop.mjs'), path, home.memoryDir)
      for (let turns = Math.floor(Math.random() * 3); turns > 0; turns--) await once(child, 'message')
      spin(Math.random() * ROUND_MS)
      child.kill('SIGKILL')
      await once(child, 'exit')
      expect(allowed).toContain(home.read('mcp.json'))
    }
    // What the dead remembered is sound too: our own tokens are known, none is taken for a person's change.
    expect(await home.deliver('mcp:~/mcp.json#lark', makeToken('last'))).toMatchObject([
      { status: 'delivered' },
    ])
  },
  LONG_TEST_MS,
)
