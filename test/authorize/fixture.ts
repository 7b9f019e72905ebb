// One authorization in this process, from the link to the stored token set, and the processes beside it.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { onTestFinished } from 'vitest'
import { type App, resolveApp } from '../../src/app/app.ts'
import { type StartOptions, type StartResult, startAuthorization } from '../../src/authorize/authorize.ts'
import type { Deps } from '../../src/deps.ts'
import type { PendingAuthorization } from '../../src/oauth/pending-authorization.ts'
import { encodeRecord, type TokenRecord } from '../../src/oauth/token-set.ts'
import { Secret } from '../../src/secret.ts'
import type { TokenStatus } from '../../src/status/fields.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { settle } from '../../src/wiring/settle.ts'
import type { SandboxOptions } from '../feishu-sandbox/sandbox.ts'
import { makeDeps, seed, type World } from '../support/deps.ts'
import { freePort } from '../support/port.ts'

export const DEADLINE_MS = 600_000

export async function makeWorld(options: SandboxOptions & { hurried?: boolean } = {}): Promise<World> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  const env = { FEISHU_REDIRECT_URI: redirectUri }
  const world = await makeDeps({ ...options, redirectUrls: [redirectUri], env })
  onTestFinished(() => settle(world.deps))
  return world
}

/** Another process on the same files. */
export async function startProcess(world: World): Promise<Deps> {
  const deps = await world.sibling()
  onTestFinished(() => settle(deps))
  return deps
}

export function start(deps: Deps, options: Partial<StartOptions> = {}): Promise<StartResult> {
  return startAuthorization(deps, {
    profile: 'default',
    scopes: null,
    method: 'browser',
    openBrowser: false,
    callbackUrl: null,
    cancel: false,
    ...options,
  })
}

export async function begin(deps: Deps): Promise<string> {
  return linkOf(await start(deps))
}

/** An authorization that was begun, and for which nobody waits any more. */
export async function leavePending(world: World): Promise<{ app: App; pending: PendingAuthorization }> {
  const app = await resolveApp(world.deps, 'default')
  const { pending } = await start(world.deps)
  if (!pending) throw new Error('an authorization was begun')
  await settle(world.deps)
  return { app, pending }
}

export function linkOf(started: StartResult): string {
  return started.pending?.authorizationUrl ?? ''
}

export function paste(deps: Deps, location: string): Promise<StartResult> {
  return start(deps, { callbackUrl: new Secret(location) })
}

export function status(deps: Deps, waitSeconds = 20): Promise<TokenStatus> {
  return tokenStatus(deps, { profile: 'default', verify: false, waitSeconds })
}

export async function visit(location: string): Promise<{ status: number; html: string }> {
  const answer = await fetch(location)
  return { status: answer.status, html: await answer.text() }
}

/** Throws when anybody still holds the port, on either family. */
export async function expectFreePort(world: World): Promise<void> {
  const port = Number(new URL(world.deps.config.redirectUri).port)
  for (const host of ['127.0.0.1', '::1']) {
    const server = createServer().listen({ port, host, exclusive: true, ipv6Only: true })
    await once(server, 'listening')
    server.close()
    await once(server, 'close')
  }
}

export function codePresentations(world: World): number {
  return world.sandbox.ledger.filter((entry) => entry.kind === 'code').length
}

export async function stored(world: World): Promise<TokenRecord> {
  const deps = await world.sibling()
  return deps.store.read((await resolveApp(deps, 'default')).id)
}

/** What a process leaves that dies in the middle of an exchange. */
export async function leaveHalfway(world: World, changes: Record<string, unknown>): Promise<void> {
  const { deps } = world
  await begin(deps)
  await settle(deps)
  const app = await resolveApp(deps, 'default')
  await deps.store.withLock(app.id, 1_000, async (locked) => {
    await locked.writePending({ ...(await locked.readPending()), ...changes })
  })
}

/** Tokens that Feishu has issued and nobody has stored yet. */
export async function issuedRecord(world: World, openId?: string): Promise<Record<string, unknown>> {
  const issued = world.sandbox.issue(openId ? { openId } : {})
  const { record } = await seed(world, 'elsewhere')
  const tokenSet = record.tokenSet && { ...record.tokenSet, user: null }
  if (!tokenSet) throw new Error('seeded')
  return encodeRecord({
    generation: 0,
    tokenSet: {
      ...tokenSet,
      accessToken: new Secret(issued.access_token),
      refreshToken: new Secret(issued.refresh_token ?? ''),
    },
  })
}
