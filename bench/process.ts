// Processes under measure: started, timed, spoken to as an MCP client speaks to a server.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

export type Environment = Record<string, string>
export type Command = readonly [file: string, ...args: string[]]

const INITIALIZE = {
  protocolVersion: '2025-06-18',
  capabilities: {},
  clientInfo: { name: 'bench', version: '1' },
}

/** Milliseconds from spawn to exit. */
export async function timeToExit([file, ...args]: Command, env: Environment): Promise<number> {
  const startedAt = performance.now()
  const child = spawn(file, args, { env, stdio: 'ignore' })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${file} ${args.join(' ')} exited with ${code}`)
  return performance.now() - startedAt
}

type Answer = { id: number; error?: { message: string }; result: Record<string, unknown> }

/** A server that is running and has answered `initialize`. */
export type Session = {
  pid: number
  /** Milliseconds from spawn to the answer to `initialize`. */
  startedMs: number
  request: (method: string, params?: object) => Promise<Answer['result']>
  callTool: (name: string, args?: object) => Promise<Answer['result']>
  close: () => Promise<void>
}

/** Starts a server and shakes hands with it. */
export async function openSession([file, ...args]: Command, env: Environment): Promise<Session> {
  const startedAt = performance.now()
  const child = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'ignore'] })
  const { request, notify } = speak(child)
  await request('initialize', INITIALIZE)
  const startedMs = performance.now() - startedAt
  notify('notifications/initialized')
  return {
    pid: child.pid ?? 0,
    startedMs,
    request,
    async callTool(name, args = {}) {
      const result = await request('tools/call', { name, arguments: args })
      if (result.isError) throw new Error(`${name}: ${JSON.stringify(result.content)}`)
      return result
    },
    async close() {
      child.stdin?.end()
      // Not every server leaves when its stdin ends.
      const timer = setTimeout(() => child.kill('SIGKILL'), 2_000)
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
      clearTimeout(timer)
    },
  }
}

function speak(child: ChildProcess) {
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>()
  let last = 0
  let rest = ''
  const write = (message: object) => child.stdin?.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      if (!line.startsWith('{')) continue
      const answer = JSON.parse(line) as Answer
      waiting.get(answer.id)?.resolve(answer)
      waiting.delete(answer.id)
    }
  })
  child.stdin?.on('error', () => undefined)
  child.once('close', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the server ended with ${code}`))
  })
  async function request(method: string, params: object = {}): Promise<Answer['result']> {
    last += 1
    const id = last
    const answered = new Promise<Answer>((resolve, reject) => waiting.set(id, { resolve, reject }))
    write({ id, method, params })
    const { error, result } = await answered
    if (error) throw new Error(`${method}: ${error.message}`)
    return result
  }
  return { request, notify: (method: string) => write({ method }) }
}

/** A line of /proc/PID/status in bytes; null where there is no /proc. `VmHWM` is the peak, `VmRSS` what is held now. */
export function memoryOf(pid: number, name: 'VmHWM' | 'VmRSS'): number | null {
  try {
    return readMemory(readFileSync(`/proc/${pid}/status`, 'utf8'), name)
  } catch {
    return null
  }
}

export function readMemory(status: string, name: 'VmHWM' | 'VmRSS'): number | null {
  const kilobytes = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1]
  return kilobytes === undefined ? null : Number(kilobytes) * 1024
}
