// `connect` on a stage: with the sandbox's hosted server on the other side, or with a program.

import { resolve } from 'node:path'
import type { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { type CallToolResult, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { expect } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import type { SandboxOptions } from '../feishu-sandbox/sandbox.ts'
import { openDeps, settingsOf } from './deps.ts'
import { HANGS_MS } from './patience.ts'
import { type Environment, presentations, type Server, type Stage, setStage, startServer } from './program.ts'
import { storeIssued } from './stored.ts'

export const OURS: readonly string[] = ['start_authorization', 'token_status', 'refresh_token']

export const DOCUMENT = 'doxcnWeeklyPlan0000000000001'

/** A stage whose hosted server is the sandbox's. */
export async function connectStage(options: SandboxOptions & { env?: Environment } = {}): Promise<Stage> {
  const stage = await setStage(options)
  stage.env.FEISHU_MCP_URL = `${stage.sandbox.url}/mcp`
  return stage
}

/** What another process on this stage works with. */
export function processOn(stage: Stage): Promise<Deps> {
  const environment = settingsOf(stage.sandbox, stage.tokenDir, { FEISHU_TOKEN_KEY_SOURCE: 'file' })
  return openDeps(environment, stage.home)
}

/** Logs the person in, as another process would have. */
export async function logIn(stage: Stage, scopes?: string[]): Promise<void> {
  const { store } = await processOn(stage)
  const id = { brand: 'feishu' as const, appId: stage.sandbox.app.appId, profile: 'default' }
  const issued = stage.sandbox.issue(scopes ? { scopes } : {})
  await storeIssued(store, id, issued, stage.sandbox.user, stage.sandbox.clock.now())
}

export function startConnect(
  stage: Stage,
  args: string[] = [],
  options: { client?: Client; program?: string; env?: Environment } = {},
): Promise<Server> {
  return startServer(stage, { ...options, args: ['connect', ...args] })
}

/** The command line of the program on the other side. */
export function otherServer(...args: string[]): string[] {
  return [
    '--',
    process.execPath,
    resolve('scripts/run.mjs'),
    resolve('test/support/other-server-process.ts'),
    ...args,
  ]
}

export async function toolNames({ client }: Server): Promise<string[]> {
  return (await client.listTools()).tools.map(({ name }) => name)
}

/** Resolves when the client is told that the tools are others. */
export function listChanged({ client }: Server): Promise<void> {
  return new Promise((resolve) =>
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve()),
  )
}

/** Starts it, and waits until the other server's tools are there. */
export async function startListed(...args: Parameters<typeof startConnect>): Promise<Server> {
  const server = await startConnect(...args)
  const changed = listChanged(server)
  if ((await toolNames(server)).length === OURS.length) await changed
  return server
}

/** Calls a tool of the other server: what it said, and whether it failed. */
export async function callOther(
  { client }: Server,
  name: string,
  args: Record<string, unknown> = {},
): Promise<{ text: string; isError: boolean }> {
  const result = (await client.callTool({ name, arguments: args }, undefined, {
    timeout: HANGS_MS,
  })) as CallToolResult
  const [block] = result.content
  return { text: block?.type === 'text' ? block.text : '', isError: result.isError === true }
}

export function readDocument(server: Server): Promise<{ text: string; isError: boolean }> {
  return callOther(server, 'fetch-doc', { doc_id: DOCUMENT })
}

/** Whether there is such a process. */
export function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

/** Lets the access token end at Feishu, unknown to us. */
export function expireThere(stage: Stage): void {
  stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
}

/** What was done at the hosted server, by tool. */
export function done(stage: Stage, tool: string): number {
  return stage.sandbox.mcpRequests.filter(({ name, done }) => name === tool && done).length
}

/** A token that is refused in this form is renewed once for all calls that meet. */
export async function expectOneRenewal(refusal: Stage['sandbox']['knobs']['mcpRefusal']): Promise<void> {
  const stage = await connectStage({ knobs: { mcpRefusal: refusal } })
  await logIn(stage)
  const server = await startListed(stage)
  expireThere(stage)
  const reads = await Promise.all(Array.from({ length: 8 }, () => readDocument(server)))
  expect(reads.map(({ isError }) => isError)).toEqual(Array(8).fill(false))
  expect(presentations(stage)).toBe(1)
  expect(done(stage, 'fetch-doc')).toBe(8)
}
