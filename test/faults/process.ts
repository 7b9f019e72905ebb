// The program as processes that can be stopped and killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Scene } from './scene.ts'
import type { Ended, Talk } from './strace.ts'

export type Running = { pid: number; kill: (signal: NodeJS.Signals) => void; end: Promise<Ended> }

/** Starts a command in a scene's environment. */
export function start(
  scene: Scene,
  command: string[],
  options: { env?: Record<string, string>; talk?: Talk } = {},
): Running {
  const [file = '', ...args] = command
  const child: ChildProcess = spawn(file, args, { env: { ...scene.env, ...options.env } })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin?.on('error', () => undefined)
  if (options.talk) options.talk(child)
  else child.stdin?.end()
  const end = once(child, 'close').then(([code, signal]) => ({ code, signal, stdout, stderr }))
  return { pid: child.pid ?? 0, kill: (signal) => child.kill(signal), end }
}

/** The command line that refreshes. */
export function refreshing(main: string, ...more: string[]): string[] {
  return [process.execPath, main, 'refresh', '--json', ...more]
}

/** Random numbers from 0 to 1 that are the same for the same seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** The seed of FEISHU_TEST_SEED, else a new one; printed, so that a run can be repeated. */
export function printedSeed(name: string): number {
  const seed = Number(process.env.FEISHU_TEST_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`${name}: FEISHU_TEST_SEED=${seed}`)
  return seed
}

export type ToolAnswer = {
  isError?: boolean
  structuredContent?: Record<string, unknown>
  content: { text: string }[]
}

export type ServerProcess = {
  pid: number
  kill: (signal: NodeJS.Signals) => void
  call: (name: string, args?: Record<string, unknown>) => Promise<ToolAnswer>
  /** No longer reads what it writes. */
  hangUp: () => void
  end: Promise<Ended>
  /** Ends stdin, and waits until the process is gone. */
  close: () => Promise<Ended>
}

/** Starts a server and shakes hands with it. A line on stdout that is not JSON-RPC fails the call that waits. */
export function serve(scene: Scene, main: string, env: Record<string, string> = {}): ServerProcess {
  const waiting = new Map<number, (message: { result: ToolAnswer }) => void>()
  let write = (_message: object): void => undefined
  let end = (): void => undefined
  let hangUp = (): void => undefined
  const running = start(scene, [process.execPath, main], {
    env,
    talk: (child) => {
      write = (message) => void child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
      end = () => void child.stdin?.end()
      hangUp = () => void child.stdout?.destroy()
      let rest = ''
      child.stdout?.on('data', (chunk) => {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        for (const message of lines.map((line) => JSON.parse(line))) waiting.get(message.id)?.(message)
      })
    },
  })
  const clientInfo = { name: 'test', version: '0' }
  const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
  write({ id: 0, method: 'initialize', params })
  write({ method: 'notifications/initialized', params: {} })
  let id = 0
  return {
    pid: running.pid,
    kill: running.kill,
    hangUp: () => hangUp(),
    end: running.end,
    call(name, args = {}) {
      id += 1
      const own = id
      const answer = new Promise<ToolAnswer>((resolve) => waiting.set(own, ({ result }) => resolve(result)))
      write({ id: own, method: 'tools/call', params: { name, arguments: args } })
      return answer
    },
    close() {
      end()
      return running.end
    },
  }
}
