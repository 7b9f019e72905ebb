// How long a start takes, as ratios to a bare Node in the same interleaved run. Medians: these figures are noisy.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { startSandbox } from '../test/feishu-sandbox/sandbox.ts'

export type Figure = { figure: string; value: string; target: string; met: boolean }

const PROGRAM = resolve('dist/main.js')
const INITIALIZE = JSON.stringify({
  jsonrpc: '2.0',
  id: 1,
  method: 'initialize',
  params: { protocolVersion: '2025-06-18', capabilities: {}, clientInfo: { name: 'bench', version: '1' } },
})

type Environment = Record<string, string>

/** Milliseconds from spawn to exit. */
async function timeToExit(args: string[], env: Environment): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, args, { env, stdio: 'ignore' })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${args.join(' ')} exited with ${code}`)
  return performance.now() - startedAt
}

/** Milliseconds from spawn to the answer to `initialize`. */
async function timeToAnswer(env: Environment): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(process.execPath, [PROGRAM], { env, stdio: ['pipe', 'pipe', 'ignore'] })
  child.stdin.write(`${INITIALIZE}\n`)
  await once(child.stdout, 'data')
  const elapsed = performance.now() - startedAt
  child.stdin.end()
  await once(child, 'close')
  return elapsed
}

export function median(values: number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN
}

/** Measures the starts of the program against a bare Node. */
export async function benchStartup(rounds: number): Promise<Figure[]> {
  const sandbox = await startSandbox()
  const home = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-bench-'))
  const env: Environment = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
  }
  const token = join(home, 'token.json')
  try {
    writeFileSync(token, JSON.stringify(sandbox.issue()))
    await timeToExit([PROGRAM, 'import', token], env)
    const requestsBefore = sandbox.requests.length
    const starts: [string, string, number, () => Promise<number>][] = [
      ['initialize answered', '2.4', 2.4, () => timeToAnswer(env)],
      ['token, valid', '1.6', 1.6, () => timeToExit([PROGRAM, 'token'], env)],
      ['status --json', '1.7', 1.7, () => timeToExit([PROGRAM, 'status', '--json'], env)],
      ['exec -- true', '1.9', 1.9, () => timeToExit([PROGRAM, 'exec', '--', '/bin/true'], env)],
    ]
    const bare: number[] = []
    const times = starts.map(() => [] as number[])
    for (let round = 0; round < rounds; round += 1) {
      bare.push(await timeToExit(['-e', '0'], env))
      for (const [index, start] of starts.entries()) times[index]?.push(await start[3]())
    }
    if (sandbox.requests.length > requestsBefore) throw new Error('a valid token cost a request')
    return starts.map(([figure, target, limit], index) => {
      const ratio = median(times[index] ?? []) / median(bare)
      return {
        figure: `${figure} (× bare Node)`,
        value: ratio.toFixed(2),
        target: `≤ ${target}`,
        met: ratio <= limit,
      }
    })
  } finally {
    await sandbox.close()
    rmSync(home, { recursive: true, force: true })
  }
}
