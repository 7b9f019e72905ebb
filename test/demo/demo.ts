// The main job on this machine alone: an assistant reads a document, and never hears of the token again. A real MCP client
// speaks to `connect`, and that to the Feishu sandbox. npm run demo [-- --auto | --no-browser]. Without a terminal or a
// display it approves by itself.

import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import open from 'open'
import { fold } from '../../src/chinese/fold.ts'
import { type Sandbox, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { freePort } from '../support/port.ts'

const PROGRAM = resolve('dist/main.js')
/** The longest wait of one token_status; clients give up a call after a minute. */
const WAIT_SECONDS = 45

/** What shells report for a program that Ctrl-C ended: 128 and the number of SIGINT. */
const EXIT_INTERRUPTED = 130

const { values: options } = parseArgs({
  options: {
    auto: { type: 'boolean', default: false },
    'no-browser': { type: 'boolean', default: false },
  },
})

type Facts = Record<string, unknown>
type Answer = { facts: Facts; text: string; isError: boolean }
type Call = (tool: string, args?: Facts) => Promise<Answer>

/** What will be copied, or fits. */
function print(text: string): void {
  process.stdout.write(`${text}\n`)
}

function say(text: string): void {
  print(process.stdout.isTTY ? fold(text, process.stdout.columns) : text)
}

function heading(text: string): void {
  print(`\n== ${text} ${'='.repeat(Math.max(3, 76 - text.length))}\n`)
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
    const facts = (result.structuredContent ?? {}) as Facts
    return { facts, text: block?.text ?? '', isError: result.isError === true }
  }
}

/** Calls a tool, and prints of the answer what these fields say. */
async function show(call: Call, tool: string, args: Facts, fields: string[]): Promise<Facts> {
  say(`> ${tool} ${JSON.stringify(args)}`)
  const { facts, text, isError } = await call(tool, args)
  if (isError) throw new Error(`${tool}: ${text}`)
  for (const field of fields) say(`  ${field}: ${facts[field]}`)
  return facts
}

/** Calls one of Feishu's tools and prints what it says. */
async function showText(call: Call, tool: string, args: Facts): Promise<Answer> {
  say(`> ${tool} ${JSON.stringify(args)}`)
  const answer = await call(tool, args)
  say(`  ${answer.text.trim().replaceAll('\\n', '\n').replaceAll('\n', '\n  ')}`)
  return answer
}

function expectFact(facts: Facts, name: string, wanted: unknown): void {
  if (facts[name] !== wanted) throw new Error(`${name} is ${facts[name]}, not ${wanted}`)
}

/** Gets the link to the person; where there is none, approves in their place. */
async function approve(sandbox: Sandbox, link: string): Promise<void> {
  print(`\nThe consent page of the sandbox:\n\n  ${link}\n`)
  if (!hasPerson()) {
    say('Nobody is asked in this run: it approves by itself.\n')
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
async function waitForApproval(call: Call): Promise<void> {
  const args = { wait_seconds: WAIT_SECONDS }
  for (;;) {
    const { facts } = await call('token_status', args)
    if (facts.authorization_status === 'pending') continue
    const status = await show(call, 'token_status', args, ['status', 'user_name', 'access_token_expires_at'])
    if (status.authorization_error) throw new Error(String(status.authorization_error))
    return expectFact(status, 'status', 'valid')
  }
}

async function play(sandbox: Sandbox, client: Client, toolsChanged: Promise<unknown>): Promise<void> {
  const call = caller(client)
  heading('1. "What is in the weekly plan?" Nobody has logged in')
  const early = await showText(call, 'search-doc', { query: 'weekly' })
  if (!early.isError) throw new Error('a call without a token was answered')

  heading('2. The assistant asks for a login, once')
  const started = await show(call, 'start_authorization', { open_browser: false }, ['status'])
  await Promise.all([approve(sandbox, String(started.authorization_url)), waitForApproval(call)])

  heading("3. Feishu's tools are there, and the document is read")
  await toolsChanged
  const { tools } = await client.listTools()
  const names = tools.map(({ name }) => name).filter((name) => name.includes('-'))
  say(`  ${names.length} more tools: ${names.join(', ')}\n`)
  const found = await showText(call, 'search-doc', { query: 'weekly' })
  const [{ doc_id }] = JSON.parse(found.text).items
  await showText(call, 'fetch-doc', { doc_id })

  heading('4. Two hours later: the token has ended, and nobody notices')
  sandbox.clock.advance(sandbox.knobs.accessTokenLifetimeMs)
  const again = await showText(call, 'fetch-doc', { doc_id })
  if (again.isError) throw new Error(again.text)
  const renewed = await show(call, 'token_status', {}, [
    'status',
    'generation',
    'last_refreshed_at',
    'next_step',
  ])
  expectFact(renewed, 'generation', 2)
}

/** The entry with which an assistant is pointed at this sandbox, and how long that is of use. */
function showEntry(settings: Record<string, string>): void {
  heading('Try it with your own assistant')
  const entry = { command: 'node', args: [PROGRAM, 'connect'], env: settings }
  print(JSON.stringify({ mcpServers: { 'feishu-token-sandbox': entry } }, null, 2))
  if (hasPerson()) {
    say(
      '\nThis block goes into ~/.cursor/mcp.json (Cursor), claude_desktop_config.json (Claude Desktop) or .mcp.json (Claude Code). Then ask: "What is in the weekly plan?"',
    )
    say('\nThe sandbox stays up for it until you press Ctrl-C; then it is gone, with all that it stored.')
  } else {
    say(
      '\nThis run ends now, and its sandbox with it, so this block leads nowhere. In a terminal, `npm run demo` keeps the sandbox up until Ctrl-C; add `-- --no-browser` where there is no display.',
    )
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
    FEISHU_MCP_URL: `${sandbox.url}/mcp`,
    FEISHU_REDIRECT_URI: redirectUri,
    FEISHU_TOKEN_DIR: join(home, '.feishu-token-mcp'),
    // Nothing of the demo may stay behind in the person's keychain.
    FEISHU_TOKEN_KEY_SOURCE: 'file',
  }
  // Without auto-refresh: in step 4 the server's refusal is to be seen through.
  const env = { ...settings, HOME: home, USERPROFILE: home, FEISHU_AUTO_REFRESH: 'false' }
  try {
    say(`A Feishu sandbox answers at ${sandbox.url}; nothing leaves this machine.`)
    if (!hasPerson()) say('To approve yourself: `npm run demo -- --no-browser` in a terminal.')
    signal.throwIfAborted()
    // A call under way ends with the connection.
    signal.addEventListener('abort', () => void client.close())
    const toolsChanged = new Promise<void>((resolve) =>
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
    )
    const args = [PROGRAM, 'connect']
    await client.connect(new StdioClientTransport({ command: process.execPath, args, env, stderr: 'ignore' }))
    await play(sandbox, client, toolsChanged)
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
  const end = aborted ? 'The demo was ended.' : `The demo failed: ${why}`
  process.stderr.write(`\n${process.stderr.isTTY ? fold(end, process.stderr.columns) : end}\n`)
  process.exitCode = aborted ? EXIT_INTERRUPTED : 1
}
