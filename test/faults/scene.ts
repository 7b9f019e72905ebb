// One folder of its own per run, all of them at one sandbox, and what must hold of each when its run is over.

import { randomBytes } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Deps, RefreshResult } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import type { ProfileId } from '../../src/profile.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { keyIdOf } from '../../src/store/envelope.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import { type Sandbox, startSandbox } from '../feishu-sandbox/sandbox.ts'
import { openDeps, settingsOf } from '../support/deps.ts'
import {
  checkFiles,
  checkNoLeftovers,
  checkNoProcess,
  checkText,
  presentationsByToken,
} from '../support/invariants.ts'
import { storeIssued } from '../support/stored.ts'
import type { Program } from './strace.ts'

export type Theatre = {
  sandbox: Sandbox
  root: string
  /** One key for all scenes, so that its file has the same name in all of them. */
  key: string
  close: () => Promise<void>
}

/** A sandbox and a folder for the scenes. */
export async function openTheatre(parent: string = tmpdir()): Promise<Theatre> {
  const sandbox = await startSandbox()
  const root = mkdtempSync(join(parent, 'feishu-token-mcp-'))
  return {
    sandbox,
    root,
    key: randomBytes(32).toString('base64'),
    async close() {
      await sandbox.close()
      rmSync(root, { recursive: true, force: true })
    },
  }
}

export type Scene = {
  sandbox: Sandbox
  home: string
  folder: string
  id: ProfileId
  env: Record<string, string>
  /** The refresh token that is stored when the scene begins. */
  refreshToken: string
  /** What Feishu has minted since the scene began, and the app's own secret. */
  secrets: () => string[]
  /** Another process on the same store, in the test's own; with settings of its own, if any. */
  open: (more?: Record<string, string>) => Promise<Deps>
  program: (main: string, args: string[]) => Program
  close: () => void
}

function putKey(directory: string, key: string): void {
  const path = join(directory, `${keyIdOf(Buffer.from(key, 'base64'))}.key`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  writeFileSync(path, `${key}\n`, { mode: 0o600 })
}

/** Sets a scene: a home of its own with a token set that Feishu has just issued. */
export async function setScene(
  { sandbox, root, key }: Theatre,
  settings: Record<string, string> = {},
): Promise<Scene> {
  const home = mkdtempSync(join(root, 'h-'))
  const tokenDir = settings.FEISHU_TOKEN_DIR ?? join(home, 'tokens')
  const environment = settingsOf(sandbox, tokenDir, { FEISHU_TOKEN_KEY_SOURCE: 'file', ...settings })
  const id: ProfileId = { brand: 'feishu', appId: sandbox.app.appId, profile: 'default' }
  const known = sandbox.secrets().length
  const issued = sandbox.issue()
  const open = (more: Record<string, string> = {}) => openDeps({ ...environment, ...more }, home)
  putKey(join(tokenDir, 'key'), key)
  await storeIssued((await open()).store, id, issued, sandbox.user, Date.now())
  const env = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    USERPROFILE: home,
    FEISHU_APP_ID: sandbox.app.appId,
    FEISHU_APP_SECRET: sandbox.app.appSecret,
    FEISHU_ACCOUNTS_URL: sandbox.url,
    FEISHU_OPEN_URL: sandbox.url,
    FEISHU_TOKEN_DIR: tokenDir,
    FEISHU_TOKEN_KEY_SOURCE: 'file',
    FEISHU_AUTO_REFRESH: 'false',
    ...settings,
  }
  return {
    sandbox,
    home,
    folder: tokenDir,
    id,
    env,
    refreshToken: issued.refresh_token ?? '',
    secrets: () => [sandbox.app.appSecret, ...sandbox.secrets().slice(known)],
    open,
    program: (main, args) => ({
      main,
      args,
      env,
      folder: tokenDir,
      log: join(home, 'strace.log'),
      out: join(home, 'stdout'),
    }),
    close: () => rmSync(home, { recursive: true, force: true }),
  }
}

/** How often the token with which the scene began was presented. */
export function presentationsOf(scene: Scene): number {
  const entries = presentationsByToken(scene.sandbox.ledger).get(fingerprint(scene.refreshToken))
  return entries?.length ?? 0
}

/** The ledger's proof that Feishu had rotated for somebody who did not live to keep it: others asked in vain since. */
export function wasLost({ sandbox }: Scene, refreshToken: string): boolean {
  const entries = presentationsByToken(sandbox.ledger).get(fingerprint(refreshToken)) ?? []
  const rotated = entries.findIndex((entry) => entry.outcome === 'rotated')
  return rotated !== -1 && rotated < entries.length - 1
}

export type Aftermath = {
  /** What the next process makes of it. */
  next: RefreshResult | CodedError
  /** Feishu had rotated, and the answer did not become durable. */
  lost: boolean
}

/** What the next process finds, and that the invariants hold; throws where they do not. */
export async function checkAftermath(scene: Scene, generation: number): Promise<Aftermath> {
  checkNoProcess(scene.folder)
  const next = await scene.open()
  const stored = await next.store.read(scene.id)
  if (stored.generation < generation) throw new Error(`the generation fell to ${stored.generation}`)
  const held = stored.tokenSet?.refreshToken?.reveal() ?? ''
  const result = await refreshToken(next, { profile: 'default', force: true }).catch((error) => {
    if (error instanceof CodedError) return error
    throw error
  })
  if (result instanceof CodedError && result.code === 'store_locked') throw result
  if (presentationsOf(scene) > 2) throw new Error(`presented ${presentationsOf(scene)} times`)
  checkFiles(scene.folder, scene.secrets())
  checkNoLeftovers(scene.folder)
  // Asked last: what a dead process had sent may be read after its end, and what it had flushed is taken over.
  return { next: result, lost: result instanceof CodedError && wasLost(scene, held) }
}

/** No secret in what a run has written. */
export function checkOutputs(scene: Scene, ended: { stdout: string; stderr: string }): void {
  checkText('stdout', ended.stdout, scene.secrets())
  checkText('stderr', ended.stderr, scene.secrets())
}

/** Works through the items, `width` at a time. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T, index: number) => Promise<void>,
): Promise<void> {
  const queue = [...items.entries()]
  const worker = async () => {
    for (let item = queue.shift(); item; item = queue.shift()) await work(item[1], item[0])
  }
  await Promise.all(Array.from({ length: width }, worker))
}
