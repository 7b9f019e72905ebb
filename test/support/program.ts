// The built program as its users meet it: started as a process, spoken to over stdio.

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync, realpathSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js'
import {
  type CallToolResult,
  type JSONRPCMessage,
  JSONRPCMessageSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { onTestFinished } from 'vitest'
import { type Sandbox, type SandboxOptions, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { type Answer, readAnswer } from './contract.ts'
import { makeFolder } from './folder.ts'
import { checkFiles, checkLedger, checkText } from './invariants.ts'
import { NO_LINKS } from './needs.ts'
import { HANGS_MS } from './patience.ts'
import { freePort } from './port.ts'

export const PROGRAM: string = resolve('dist/main.js')

/** How an entry that `setup` writes starts Node: by its plain name where any program finds this very Node by it. */
export const NODE_COMMAND: string = ['/usr/local/bin', '/usr/bin', '/bin']
  .map((folder) => join(folder, 'node'))
  .some((path) => existsSync(path) && realpathSync(path) === realpathSync(process.execPath))
  ? 'node'
  : process.execPath

export type Environment = Record<string, string>

/** Everything a test on the whole program needs: a sandbox, a home of its own, and the settings that join them. */
export type Stage = {
  sandbox: Sandbox
  home: string
  tokenDir: string
  port: number
  env: Environment
  /** All that the processes of this stage have written, for the canary scan. */
  outputs: string[]
}

/**
 * PATH without the clients of whoever runs the tests, to whom `setup` would offer an entry: a folder that holds one is
 * replaced by links to everything else in it.
 */
function pathWithoutClients(): string {
  const isClient = (name: string) => /^(?:claude|codex|gemini)(?:\.exe|\.cmd)?$/.test(name)
  const folders = (process.env.PATH ?? '').split(delimiter).map((folder) => {
    const names = existsSync(folder) ? readdirSync(folder) : []
    if (NO_LINKS || !names.some(isClient)) return folder
    const links = makeFolder()
    for (const name of names) if (!isClient(name)) symlinkSync(join(folder, name), join(links, name))
    return links
  })
  return folders.join(delimiter)
}

export async function setStage(options: SandboxOptions & { env?: Environment } = {}): Promise<Stage> {
  const port = await freePort()
  const redirectUri = `http://localhost:${port}/callback`
  const sandbox = await startSandbox({ ...options, redirectUrls: [redirectUri] })
  const home = await mkdtemp(join(tmpdir(), 'feishu-token-mcp-'))
  const tokenDir = join(home, '.feishu-token-mcp')
  const outputs: string[] = []
  onTestFinished(async () => {
    try {
      checkLedger(sandbox.ledger)
      checkFiles(tokenDir, sandbox.secrets())
      checkText('what a process wrote', outputs.join('\n'), sandbox.secrets())
    } finally {
      await sandbox.close()
      await rm(home, { recursive: true, force: true })
    }
  })
  const env = {
    PATH: pathWithoutClients(),
    HOME: home,
    USERPROFILE: home,
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
    FEISHU_REDIRECT_URI: redirectUri,
    // Never into the keychain of whoever runs the tests.
    FEISHU_TOKEN_KEY_SOURCE: 'file',
    ...options.env,
  }
  return { sandbox, home, tokenDir, port, env, outputs }
}

export type Run = { code: number | null; signal: string | null; stdout: string; stderr: string }

/** Runs one command to its end. */
export async function run(
  stage: Stage,
  args: string[],
  options: { env?: Environment; input?: string } = {},
): Promise<Run> {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...stage.env, ...options.env } })
  return finished(stage, child, options.input ?? '')
}

async function finished(stage: Stage, child: ChildProcess, input: string): Promise<Run> {
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin?.on('error', () => undefined).end(input)
  const [code, signal] = await once(child, 'close')
  stage.outputs.push(stderr)
  return { code, signal, stdout, stderr }
}

/** A command that is still running. */
export type Running = {
  child: ChildProcess
  /** Resolves when what it wrote matches. */
  written: (pattern: RegExp) => Promise<RegExpExecArray>
  end: Promise<Run>
}

/** Starts a command and leaves it running; it is killed when the test ends. */
export function start(stage: Stage, args: string[], options: { env?: Environment } = {}): Running {
  const child = spawn(process.execPath, [PROGRAM, ...args], { env: { ...stage.env, ...options.env } })
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  const waiting = new Set<() => void>()
  const note = () => {
    for (const look of waiting) look()
  }
  child.stdout.on('data', (chunk) => {
    stdout += chunk
    note()
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
    note()
  })
  const end = once(child, 'close').then(([code, signal]) => {
    stage.outputs.push(stderr)
    return { code, signal, stdout, stderr } as Run
  })
  const written = (pattern: RegExp) =>
    new Promise<RegExpExecArray>((resolve, reject) => {
      const look = () => {
        const match = pattern.exec(stdout) ?? pattern.exec(stderr)
        if (!match) return
        waiting.delete(look)
        resolve(match)
      }
      waiting.add(look)
      look()
      void end.then(() => reject(new Error(`ended before it wrote ${pattern}:\n${stdout}\n${stderr}`)))
    })
  return { child, written, end }
}

/** The stdio of a server process, every line of it checked to be JSON-RPC. */
class ProcessTransport implements Transport {
  readonly child: ChildProcess
  readonly impure: string[] = []
  stdout = ''
  stderr = ''
  readonly closed: Promise<{ code: number | null; signal: string | null }>
  onclose?: () => void
  onerror?: (error: Error) => void
  onmessage?: (message: JSONRPCMessage) => void
  #rest = ''

  constructor(env: Environment, node: string, program: string, args: string[]) {
    this.child = spawn(node, [program, ...args], { env, stdio: ['pipe', 'pipe', 'pipe'] })
    this.closed = once(this.child, 'close').then(([code, signal]) => ({ code, signal }))
  }

  async start(): Promise<void> {
    this.child.stdout?.on('data', (chunk) => this.#read(String(chunk)))
    this.child.stderr?.on('data', (chunk) => {
      this.stderr += chunk
    })
    this.child.stdin?.on('error', () => undefined)
    void this.closed.then(() => this.onclose?.())
  }

  #read(text: string): void {
    this.stdout += text
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop() ?? ''
    for (const line of lines) {
      try {
        this.onmessage?.(JSONRPCMessageSchema.parse(JSON.parse(line)))
      } catch {
        this.impure.push(line)
      }
    }
  }

  async send(message: JSONRPCMessage): Promise<void> {
    this.child.stdin?.write(`${JSON.stringify(message)}\n`)
  }

  async close(): Promise<void> {
    this.child.stdin?.end()
    await this.closed
  }
}

export type Server = {
  client: Client
  transport: ProcessTransport
  pid: number
  /** Calls a tool. */
  call: (name: string, args?: Record<string, unknown>) => Promise<Answer>
  /** Closes stdin and waits until the process is gone. */
  close: () => Promise<{ code: number | null; signal: string | null }>
}

/** Starts the server with a real MCP client. When the test ends, it is closed and its stdout proved pure. */
export async function startServer(
  stage: Stage,
  options: { env?: Environment; node?: string; client?: Client; program?: string; args?: string[] } = {},
): Promise<Server> {
  const { node = process.execPath, program = PROGRAM, args = [] } = options
  const transport = new ProcessTransport({ ...stage.env, ...options.env }, node, program, args)
  const client = options.client ?? new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport)
  let open = true
  const close = async () => {
    if (open) await client.close()
    open = false
    stage.outputs.push(transport.stdout, transport.stderr)
    if (transport.impure.length > 0) throw new Error(`not JSON-RPC on stdout: ${transport.impure[0]}`)
    return transport.closed
  }
  onTestFinished(async () => {
    if (transport.child.exitCode === null && transport.child.signalCode === null) await close()
  })
  const call = async (name: string, args: Record<string, unknown> = {}): Promise<Answer> => {
    return readAnswer(
      (await client.callTool({ name, arguments: args }, undefined, { timeout: HANGS_MS })) as CallToolResult,
    )
  }
  return { client, transport, pid: transport.child.pid ?? 0, call, close }
}

/** What a person at the browser does: approves on the consent page and lets the redirect reach the listener. */
export async function approve(
  stage: Stage,
  authorizationUrl: unknown,
): Promise<{ status: number; html: string }> {
  return visit(stage, await stage.sandbox.approve(String(authorizationUrl)))
}

/** Follows a redirect to the listener as a browser would. */
export async function visit(stage: Stage, location: string): Promise<{ status: number; html: string }> {
  const answer = await fetch(location)
  const html = await answer.text()
  stage.outputs.push(html)
  return { status: answer.status, html }
}

/** Authorizes with a server, to the end. */
export async function authorize(
  stage: Stage,
  server: Server,
  args: Record<string, unknown> = {},
): Promise<void> {
  const started = await server.call('start_authorization', { open_browser: false, ...args })
  if (started.isError) throw new Error(started.text)
  await approve(stage, started.data.authorization_url)
  const wait = args.profile === undefined ? {} : { profile: args.profile }
  const status = await server.call('token_status', { wait_seconds: 20, ...wait })
  if (status.data.authorization_status !== 'succeeded') throw new Error(status.text)
}

/** How often a refresh token was presented so far. */
export function presentations(stage: Stage): number {
  return stage.sandbox.ledger.filter((entry) => entry.kind === 'refresh_token').length
}
