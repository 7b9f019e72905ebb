// One real run for the documents: the built program, an MCP client and the sandbox, with every clock standing still, so
// that the same program always says the same.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { type Sandbox, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { HANGS_MS } from '../support/patience.ts'
import { freePort } from '../support/port.ts'

/** When the documents' person approves, and when the token of two hours is about to end. */
export const APPROVED_AT: number = Date.parse('2026-11-22T08:00:42Z')
export const DUE_AT: number = Date.parse('2026-11-22T09:56:10Z')
/** Feishu's own, as in its documents; the sandbox's usual ones are odd on purpose. */
const LIFETIMES = { accessTokenLifetimeMs: 7_200_000, refreshTokenLifetimeMs: 604_800_000 }
/** Each takes a second at most; one whose approval failed would wait for ten minutes. */
const LONGEST_COMMAND_MS = HANGS_MS
const APP = { appId: 'cli_a1b2c3d4e5f60718' }
const USER = { openId: 'ou_249b6cb84a2e66bd3ef65787632e4559', name: '沙小盒' }

export type Facts = Record<string, unknown>
/** A line that somebody typed, and what it printed. */
export type Typed = { command: string; output: string }
export type DocumentedRun = {
  start: Facts
  status: Facts
  refresh: Facts
  failure: string
  terminal: Typed[]
}

export type Stage = { sandbox: Sandbox; env: Record<string, string>; program: string; redirectUri: string }

/** Loaded into the program before its own first line. Timers still run: only what is read from a clock stands still. */
function standStill(at: number): string {
  const code = `
    const Real = Date
    globalThis.Date = class extends Real {
      constructor(...given) { given.length > 0 ? super(...given) : super(${at}) }
      static now() { return ${at} }
    }
    performance.now = () => 1_000
    process.hrtime.bigint = () => 1_000_000_000n`
  return `data:text/javascript,${encodeURIComponent(code)}`
}

/** Real names in place of this run's addresses, and nothing that differs between runs. */
export function published({ sandbox, redirectUri }: Stage, text: string): string {
  return text
    .replaceAll(
      `${sandbox.url}/open-apis/authen/v1/authorize`,
      'https://accounts.feishu.cn/open-apis/authen/v1/authorize',
    )
    .replaceAll(sandbox.url, 'https://open.feishu.cn')
    .replaceAll(redirectUri, 'http://localhost:9000/callback')
    .replaceAll(/(response_type=code&)[^\s"]*/g, '$1…')
}

/** Starts the program as a client does, at that time, and ends it after the work. */
export async function withServer<T>(
  stage: Stage,
  at: number,
  work: (client: Client) => Promise<T>,
  {
    client = new Client({ name: 'docs', version: '1.0.0' }),
    command = [],
  }: {
    client?: Client
    command?: string[]
  } = {},
): Promise<T> {
  stage.sandbox.knobs.dateOffsetMs = at - stage.sandbox.clock.now()
  const args = ['--import', standStill(at), stage.program, ...command]
  await client.connect(
    new StdioClientTransport({ command: process.execPath, args, env: stage.env, stderr: 'ignore' }),
  )
  try {
    return await work(client)
  } finally {
    await client.close()
  }
}

export type Answer = { structuredContent: Facts; content: { text: string }[]; isError?: boolean }

export async function call(client: Client, name: string, args: Facts = {}): Promise<Answer> {
  return (await client.callTool({ name, arguments: args })) as Answer
}

/** Approves as the person does; answers with the page that the browser ends on. */
export async function approve(sandbox: Sandbox, link: string): Promise<string> {
  const page = await fetch(await sandbox.approve(link))
  if (page.status !== 200) throw new Error(`the callback page answered ${page.status}`)
  return page.text()
}

async function runTools(stage: Stage): Promise<Omit<DocumentedRun, 'terminal'>> {
  const factsOf = ({ structuredContent }: Answer) =>
    JSON.parse(published(stage, JSON.stringify(structuredContent))) as Facts
  const before = await withServer(stage, APPROVED_AT, async (client) => {
    const failed = await call(client, 'refresh_token')
    const started = await call(client, 'start_authorization', { open_browser: false })
    await approve(stage.sandbox, String(started.structuredContent.authorization_url))
    const status = factsOf(await call(client, 'token_status', { wait_seconds: 20 }))
    return { failure: failed.content[0]?.text ?? '', start: factsOf(started), status }
  })
  const refresh = await withServer(stage, DUE_AT, async (client) =>
    factsOf(await call(client, 'refresh_token')),
  )
  return { ...before, refresh }
}

/** As a person would type it. */
function typed(args: readonly string[]): string {
  const words = args.map((arg) => (/^[\w./-]+$/.test(arg) ? arg : `'${arg}'`))
  return `feishu-token-mcp ${words.join(' ')}`
}

/** Runs a command to its end; `during` sees what has been printed so far. */
async function type(
  stage: Stage,
  at: number,
  args: string[],
  during: (printed: string) => void = () => undefined,
): Promise<Typed> {
  stage.sandbox.knobs.dateOffsetMs = at - stage.sandbox.clock.now()
  const child = spawn(process.execPath, ['--import', standStill(at), stage.program, ...args], {
    env: stage.env,
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: LONGEST_COMMAND_MS,
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
      during(output)
    })
  }
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`${typed(args)} ended with ${code}: ${output}`)
  return { command: typed(args), output: published(stage, output) }
}

async function runTerminal(stage: Stage): Promise<Typed[]> {
  let approved: Promise<string> | null = null
  const login = await type(stage, APPROVED_AT, ['login', '--no-browser'], (printed) => {
    const link = /^http\S+(?=\n)/m.exec(printed)?.[0]
    if (link) approved ??= approve(stage.sandbox, link)
  })
  await approved
  const refresh = await type(stage, DUE_AT, ['refresh'])
  const exec = await type(stage, DUE_AT, ['exec', '--', 'sh', '-c', 'echo $FEISHU_OPEN_URL'])
  // The gateway takes any free port.
  return [login, refresh, { ...exec, output: exec.output.replace(/:\d+/, ':40123') }]
}

/** A home of its own and a sandbox, in which pages and commands speak that language. */
export async function onStage<T>(work: (stage: Stage) => Promise<T>, language = 'en'): Promise<T> {
  const home = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-docs-'))
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const sandbox = await startSandbox({ app: APP, user: USER, redirectUrls: [redirectUri], knobs: LIFETIMES })
  // Named as an installed program is, because hints name commands as they were typed.
  const program = join(home, 'feishu-token-mcp')
  symlinkSync(resolve('dist/main.js'), program)
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    USERPROFILE: home,
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
    FEISHU_REDIRECT_URI: redirectUri,
    FEISHU_TOKEN_KEY_SOURCE: 'file',
    FEISHU_MCP_URL: `${sandbox.url}/mcp`,
    FEISHU_LANG: language,
  }
  try {
    return await work({ sandbox, env, program, redirectUri })
  } finally {
    await sandbox.close()
    rmSync(home, { recursive: true, force: true })
  }
}

/** Runs what the documents show, from the first authorization on. */
export async function runForDocuments(): Promise<DocumentedRun> {
  const tools = await onStage(runTools)
  const terminal = await onStage(runTerminal)
  return { ...tools, terminal }
}
