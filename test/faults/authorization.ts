// An authorization whose process is gone, ended by the address that the browser ended on.

import type { ChildProcess } from 'node:child_process'
import { startAuthorization } from '../../src/authorize/authorize.ts'
import { Secret } from '../../src/secret.ts'
import { settle } from '../../src/wiring/settle.ts'
import { freePort } from '../support/port.ts'
import { type Scene, setScene, type Theatre } from './scene.ts'
import type { Talk } from './strace.ts'

const START = {
  profile: 'default',
  scopes: null,
  method: 'browser',
  openBrowser: false,
  callbackUrl: null,
  cancel: false,
} as const

/** A scene with a redirect URL of its own. */
export async function setAuthorizationScene(theatre: Theatre): Promise<Scene> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  theatre.sandbox.app.redirectUrls.push(redirectUri)
  return setScene(theatre, { FEISHU_REDIRECT_URI: redirectUri })
}

/** Leaves a pending authorization whose process is gone; resolves to the address that the browser ended on. */
export async function leavePending(scene: Scene): Promise<string> {
  const deps = await scene.open()
  const { pending } = await startAuthorization(deps, START)
  await settle(deps)
  return scene.sandbox.approve(pending?.authorizationUrl ?? '')
}

function message(id: number | null, method: string, params: object): string {
  return `${JSON.stringify({ jsonrpc: '2.0', ...(id === null ? {} : { id }), method, params })}\n`
}

type ToolResult = { structuredContent?: { authorization_url?: string | null } }

/** Calls `start_authorization` once, and closes stdin when what follows its answer is done. */
function converse(args: object, then: (result: ToolResult | undefined) => Promise<void>): Talk {
  return (child: ChildProcess) => {
    const clientInfo = { name: 'test', version: '0' }
    const params = { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }
    child.stdin?.write(message(1, 'initialize', params))
    child.stdin?.write(message(null, 'notifications/initialized', {}))
    child.stdin?.write(message(2, 'tools/call', { name: 'start_authorization', arguments: args }))
    let rest = ''
    child.stdout?.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      const answer = lines.map((line) => JSON.parse(line)).find(({ id }) => id === 2)
      if (answer) void then(answer.result).finally(() => child.stdin?.end())
    })
  }
}

/** Hands the address to the tool of a server, and closes stdin when it has answered. */
export function paste(address: string): Talk {
  return converse({ callback_url: address }, async () => undefined)
}

/** What a person did and saw. */
export type Visit = {
  address: string
  /** The page that the browser shows; null: it can show none, however often it is asked to. */
  page: string | null
}

/** What a browser shows of an address. It loads again where it stands: the address that it was sent on from is spent. */
export async function visit(address: string): Promise<string | null> {
  const options = { headers: { connection: 'close', 'accept-language': 'en' }, redirect: 'manual' } as const
  let at = address
  for (let attempt = 1; attempt <= 3; ) {
    try {
      const answer = await fetch(at, options)
      const next = answer.headers.get('location')
      if (next === null) return await answer.text()
      at = new URL(next, at).href
    } catch {
      // The process is gone, or its system let it down: a person loads the page again.
      attempt += 1
    }
  }
  return null
}

/** Asks a server for a link, approves, and lets the browser reach its listener. */
export function approveAtListener({ sandbox }: Scene, tell: (visit: Visit) => void): Talk {
  return converse({ open_browser: false }, async (result) => {
    const link = result?.structuredContent?.authorization_url
    if (!link) return
    const address = await sandbox.approve(link)
    tell({ address, page: null })
    tell({ address, page: await visit(address) })
  })
}

/** The tool's answer in what a server wrote, every line of it JSON-RPC; null: it gave none. */
export function answerOf(stdout: string): { isError?: boolean; text: string } | null {
  const messages = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  const result = messages.find((message) => message.id === 2)?.result
  return result ? { isError: result.isError, text: result.content[0].text } : null
}

/** The next process goes on: with the new token, with what the dead one had exchanged, or with a new link. */
export async function goOn(scene: Scene, generation: number): Promise<'stored' | 'taken over' | 'new link'> {
  const deps = await scene.open()
  if ((await deps.store.read(scene.id)).generation > generation) return 'stored'
  const started = await startAuthorization(deps, START)
  await settle(deps)
  if (started.status === 'succeeded') return 'taken over'
  const address = new Secret(await scene.sandbox.approve(started.pending?.authorizationUrl ?? ''))
  const ended = await startAuthorization(deps, { ...START, callbackUrl: address })
  if (ended.status !== 'succeeded') throw new Error('a new authorization did not succeed')
  return 'new link'
}
