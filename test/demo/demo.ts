// The main job on this machine alone: a real MCP client authorizes, waits, and refreshes against the Feishu sandbox.
// npm run demo [-- --auto | --no-browser]. Without a terminal or a display it approves by itself.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import open from 'open'
import { type Sandbox, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { freePort } from '../support/port.ts'

const PROGRAM = resolve('dist/main.js')
/** Two seconds more than FEISHU_REFRESH_MARGIN: the first token is due for a refresh as soon as a person has seen it. */
const FIRST_TOKEN_MS = 302_000
/** The longest wait of one token_status; clients give up a call after a minute. */
const WAIT_SECONDS = 45
/** The first token is due after two seconds; a slow machine gets five times that. */
const DUE_WITHIN_MS = 10_000

/** What shells report for a program that Ctrl-C ended: 128 and the number of SIGINT. */
const EXIT_INTERRUPTED = 130

const { values: options } = parseArgs({
  options: {
    auto: { type: 'boolean', default: false },
    'no-browser': { type: 'boolean', default: false },
  },
})

type Facts = Record<string, unknown>
type Answer = { facts: Facts; text: string }
type Call = (tool: string, args?: Facts) => Promise<Answer>

function say(text: string): void {
  process.stdout.write(`${text}\n`)
}

function heading(text: string): void {
  say(`\n== ${text} ${'='.repeat(Math.max(3, 76 - text.length))}\n`)
}

function hasDisplay(): boolean {
  const { DISPLAY, WAYLAND_DISPLAY, WSL_DISTRO_NAME, SSH_CONNECTION } = process.env
  if (SSH_CONNECTION) return false
  return process.platform !== 'linux' || Boolean(DISPLAY || WAYLAND_DISPLAY || WSL_DISTRO_NAME)
}

/** Whether a person is there to approve, and to whom the sandbox is of use afterwards. */
function hasPerson(): boolean {
  if (options.auto || !process.stdin.isTTY || !process.stdout.isTTY) return false
  return options['no-browser'] || hasDisplay()
}

/** Calls a tool as an assistant does. */
function caller(client: Client): Call {
  return async (tool, args = {}) => {
    const result = await client.callTool({ name: tool, arguments: args })
    const [block] = result.content as { text: string }[]
    const text = block?.text ?? ''
    if (result.isError) throw new Error(`${tool}: ${text}`)
    return { facts: result.structuredContent as Facts, text }
  }
}

/** Calls a tool and prints what the assistant sees. */
async function show(call: Call, tool: string, args: Facts = {}): Promise<Facts> {
  say(`> ${tool} ${JSON.stringify(args)}`)
  const { facts, text } = await call(tool, args)
  say(`\n${text}`.replaceAll('\n', '\n  '))
  return facts
}

function expectFact(facts: Facts, name: string, wanted: unknown): void {
  if (facts[name] !== wanted) throw new Error(`${name} is ${facts[name]}, not ${wanted}`)
}

/** Gets the link to the person; where there is none, approves in their place. */
async function approve(sandbox: Sandbox, link: string): Promise<void> {
  say(`\nThe consent page of the sandbox:\n\n  ${link}\n`)
  if (!hasPerson()) {
    say('Nobody is asked in this run: it approves by itself (`npm run demo -- --no-browser` asks you).\n')
    const page = await fetch(await sandbox.approve(link))
    if (page.status !== 200) throw new Error(`the callback page answered ${page.status}`)
    return
  }
  const opened = !options['no-browser'] && hasDisplay() && (await open(link).catch(() => null)) !== null
  say(
    opened
      ? 'It was opened in your browser: approve there.'
      : 'Open it in a browser on this machine and approve.',
  )
  say('The demo waits for up to ten minutes; Ctrl-C ends it.\n')
}

/** Asks until the authorization has ended, and shows how. */
async function waitForApproval(call: Call): Promise<Facts> {
  for (;;) {
    const args = { wait_seconds: WAIT_SECONDS }
    const { facts } = await call('token_status', args)
    if (facts.authorization_status !== 'pending') return show(call, 'token_status', args)
  }
}

async function waitUntilDue(call: Call): Promise<void> {
  const giveUpAt = performance.now() + DUE_WITHIN_MS
  for (;;) {
    const { facts } = await call('token_status')
    if (facts.status === 'needs_refresh') return
    if (performance.now() > giveUpAt) throw new Error(`the status is still ${facts.status}`)
    await new Promise((resume) => setTimeout(resume, 100))
  }
}

async function play(sandbox: Sandbox, call: Call): Promise<void> {
  const lifetimeMs = sandbox.knobs.accessTokenLifetimeMs
  heading('1. The assistant looks: is there a token?')
  expectFact(await show(call, 'token_status'), 'status', 'not_authorized')

  heading('2. "Re-authorize Feishu, please"')
  sandbox.knobs.accessTokenLifetimeMs = FIRST_TOKEN_MS
  const started = await show(call, 'start_authorization', { open_browser: false })
  expectFact(started, 'status', 'pending')
  const [, authorized] = await Promise.all([
    approve(sandbox, String(started.authorization_url)),
    waitForApproval(call),
  ])
  expectFact(authorized, 'authorization_status', 'succeeded')

  heading('3. The token ages')
  say('Feishu makes tokens that live two hours. This one was made to live two seconds more than the margin')
  say('of 300 s (FEISHU_REFRESH_MARGIN) before which a token is renewed, so it is due now.\n')
  await waitUntilDue(call)
  await show(call, 'token_status')

  heading('4. The assistant renews it')
  sandbox.knobs.accessTokenLifetimeMs = lifetimeMs
  expectFact(await show(call, 'refresh_token'), 'status', 'refreshed')

  heading('5. Is it good? Asked of Feishu this time')
  expectFact(await show(call, 'token_status', { verify: true }), 'verified', true)
}

/** The entry with which an assistant is pointed at this sandbox, and how long that is of use. */
function showEntry(settings: Record<string, string>): void {
  heading('Try it with your own assistant')
  const entry = { command: 'node', args: [PROGRAM], env: settings }
  say(JSON.stringify({ mcpServers: { 'feishu-token-sandbox': entry } }, null, 2))
  if (hasPerson()) {
    say('\nThis block goes into ~/.cursor/mcp.json (Cursor), claude_desktop_config.json (Claude Desktop) or')
    say('.mcp.json (Claude Code). Then say: "Re-authorize Feishu."')
    say('\nThe sandbox stays up for it until you press Ctrl-C; then it is gone, with all that it stored.')
  } else {
    say(
      '\nThis run ends now, and its sandbox with it, so this block leads nowhere. In a terminal, `npm run demo`',
    )
    say('keeps the sandbox up until Ctrl-C; add `-- --no-browser` where there is no display.')
  }
}

async function run(signal: AbortSignal): Promise<void> {
  const home = await mkdtemp(join(tmpdir(), 'feishu-token-mcp-demo-'))
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const sandbox = await startSandbox({ redirectUrls: [redirectUri] })
  const client = new Client({ name: 'demo', version: '1.0.0' })
  const settings = {
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
    FEISHU_REDIRECT_URI: redirectUri,
    FEISHU_TOKEN_DIR: join(home, '.feishu-token-mcp'),
    // Nothing of the demo may stay behind in the person's keychain.
    FEISHU_TOKEN_KEY_SOURCE: 'file',
  }
  // Without auto-refresh, or the server would be quicker than the assistant in step 4.
  const env = { ...settings, HOME: home, USERPROFILE: home, FEISHU_AUTO_REFRESH: 'false' }
  try {
    say(`A Feishu sandbox answers at ${sandbox.url}; nothing leaves this machine.`)
    signal.throwIfAborted()
    // A call under way ends with the connection.
    signal.addEventListener('abort', () => void client.close())
    await client.connect(new StdioClientTransport({ command: process.execPath, args: [PROGRAM], env }))
    await play(sandbox, caller(client))
    showEntry(settings)
    if (hasPerson() && !signal.aborted) await once(signal, 'abort')
  } finally {
    await client.close()
    await sandbox.close()
    await rm(home, { recursive: true, force: true })
  }
}

const interrupted = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => interrupted.abort())
// A closed terminal must not keep the rest from being cleaned up.
process.stdout.on('error', () => interrupted.abort())
try {
  await run(interrupted.signal)
} catch (error) {
  const why = error instanceof Error ? error.message : String(error)
  const { aborted } = interrupted.signal
  process.stderr.write(aborted ? '\nThe demo was ended.\n' : `\nThe demo failed: ${why}\n`)
  process.exitCode = aborted ? EXIT_INTERRUPTED : 1
}
