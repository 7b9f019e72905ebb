// Many processes, one refresh token. FEISHU_TEST_LONG=1 runs as many rounds as the figures ask for.

import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import type { ProfileId } from '../../src/profile.ts'
import type { TokenStore } from '../../src/store/token-store.ts'
import type { Answer } from '../support/contract.ts'
import { checkFiles, checkLedger, checkNoLeftovers } from '../support/invariants.ts'
import {
  type Environment,
  presentations,
  type Server,
  type Stage,
  setStage,
  startServer,
} from '../support/program.ts'
import { age, openStore, storeIssued } from '../support/stored.ts'

const LONG = process.env.FEISHU_TEST_LONG === '1'
const SERVERS = 8
const CALLS = 25
const ROUNDS = LONG ? 50 : 5

type Crowd = { stage: Stage; store: TokenStore; id: ProfileId; servers: Server[] }

function idOf(stage: Stage, profile = 'default'): ProfileId {
  return { brand: 'feishu', appId: stage.sandbox.app.appId, profile }
}

/** A stage with a stored token set; its invariants are checked when the test ends. */
async function setCrowd(environments: Environment[]): Promise<Crowd> {
  const stage = await setStage({ env: { FEISHU_AUTO_REFRESH: 'false' } })
  const store = openStore(stage.tokenDir)
  const id = idOf(stage)
  onTestFinished(() => {
    checkLedger(stage.sandbox.ledger)
    checkFiles(stage.tokenDir, stage.sandbox.secrets())
    checkNoLeftovers(stage.tokenDir)
  })
  await storeIssued(store, id, stage.sandbox.issue(), stage.sandbox.user, Date.now())
  const servers = await Promise.all(environments.map((env) => startServer(stage, { env })))
  return { stage, store, id, servers }
}

const same = (count: number): Environment[] => Array(count).fill({})

/** All servers call at once on a token that has expired. */
async function round({ store, id, servers }: Crowd): Promise<Answer[]> {
  await age(store, id)
  return Promise.all(
    servers.flatMap((server) => Array.from({ length: CALLS }, () => server.call('refresh_token'))),
  )
}

function generationsOf(answers: Answer[]): Set<unknown> {
  const failed = answers.find((answer) => answer.isError)
  if (failed) throw new Error(failed.text)
  return new Set(answers.map((answer) => answer.data.generation))
}

test(`${SERVERS} servers with ${CALLS} calls each make one request a round`, async () => {
  const crowd = await setCrowd(same(SERVERS))
  for (let generation = 2; generation <= ROUNDS + 1; generation += 1) {
    const answers = await round(crowd)
    expect(answers).toHaveLength(SERVERS * CALLS)
    expect(generationsOf(answers)).toEqual(new Set([generation]))
    expect(presentations(crowd.stage)).toBe(generation - 1)
  }
})

test('so do servers whose clients give them different environments', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
  onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }))
  const environments = Array.from({ length: SERVERS }, (_, index) => ({
    XDG_CONFIG_HOME: join(elsewhere, `config-${index}`),
    XDG_DATA_HOME: join(elsewhere, `data-${index}`),
    XDG_STATE_HOME: join(elsewhere, `state-${index}`),
    XDG_RUNTIME_DIR: join(elsewhere, `run-${index}`),
    TMPDIR: elsewhere,
    LANG: index % 2 ? 'zh_CN.UTF-8' : 'C',
    ...(index % 2 ? { FEISHU_TOKEN_DIR: join(elsewhere, 'link') } : {}),
  }))
  const crowd = await setCrowd([])
  symlinkSync(crowd.stage.tokenDir, join(elsewhere, 'link'))
  for (const env of environments) crowd.servers.push(await startServer(crowd.stage, { env }))
  expect(generationsOf(await round(crowd))).toEqual(new Set([2]))
  expect(presentations(crowd.stage)).toBe(1)
})

test('whoever looks while others refresh never sees a lost login', async () => {
  const crowd = await setCrowd(same(4))
  const [onlooker, ...callers] = crowd.servers
  let busy = true
  const looking = (async () => {
    const seen = new Set<unknown>()
    while (busy) seen.add((await onlooker?.call('token_status'))?.data.status)
    return seen
  })()
  for (let count = 0; count < 40; count += 1) {
    await age(crowd.store, crowd.id)
    await Promise.all(callers.map((server) => server.call('refresh_token')))
  }
  busy = false
  const seen = await looking
  expect([...seen].filter((status) => status !== 'valid' && status !== 'needs_refresh')).toEqual([])
  expect(presentations(crowd.stage)).toBe(40)
})

test('a herd that was stopped with its calls under way makes one request', async () => {
  const crowd = await setCrowd(same(4))
  const { stage, servers } = crowd
  const signal = (name: 'SIGSTOP' | 'SIGCONT') => {
    for (const { pid } of servers) process.kill(pid, name)
  }
  signal('SIGSTOP')
  await age(crowd.store, crowd.id)
  const asleep = servers.map((server) => server.call('refresh_token'))
  signal('SIGCONT')
  expect(generationsOf(await Promise.all(asleep))).toEqual(new Set([2]))
  expect(presentations(stage)).toBe(1)

  const held = stage.sandbox.faults.next({ kind: 'hold', processed: true })
  const midway = round(crowd)
  await held.reached
  signal('SIGSTOP')
  held.release()
  signal('SIGCONT')
  expect(generationsOf(await midway)).toEqual(new Set([3]))
  expect(presentations(stage)).toBe(2)
})

/** Kills the holder while Feishu holds its answer; returns how the next one fares. */
async function killHolder(processed: boolean): Promise<{ crowd: Crowd; next: Answer }> {
  const crowd = await setCrowd(same(2))
  const [holder, other] = crowd.servers as [Server, Server]
  await age(crowd.store, crowd.id)
  const { faults } = crowd.stage.sandbox
  const held = faults.next({ kind: 'hold', processed })
  const second = faults.next({ kind: 'none' })
  const lost = holder.call('refresh_token').catch(() => null)
  await held.reached
  const waiting = other.call('refresh_token')
  process.kill(holder.pid, 'SIGKILL')
  await second.reached
  const next = await waiting
  await lost
  return { crowd, next }
}

test('when the holder is killed before Feishu has rotated, the next one refreshes', async () => {
  const { crowd, next } = await killHolder(false)
  expect(next.data).toMatchObject({ status: 'refreshed', generation: 2 })
  expect(presentations(crowd.stage)).toBe(2)
})

test('when it is killed after Feishu has rotated, the next one says plainly what was lost', async () => {
  const { crowd, next } = await killHolder(true)
  expect(next.text).toMatch(
    /^FAILED: The refresh of 20\S+Z was interrupted and its answer lost.*start_authorization.*\[code=refresh_uncertain recovery=reauthorize feishu_code=20064 log_id=\S+\]$/s,
  )
  expect(presentations(crowd.stage)).toBe(2)
})

test('a stopped holder is never overtaken, and those who wait are answered', async () => {
  const crowd = await setCrowd(same(3))
  const { stage, store, servers } = crowd
  const [holder, other, third] = servers as [Server, Server, Server]
  const profiles = ['p1', 'p2', 'p3', 'p4', 'p5']
  const handles = []
  const calls = []
  for (const profile of profiles) {
    const id = idOf(stage, profile)
    await storeIssued(store, id, stage.sandbox.issue(), stage.sandbox.user, Date.now())
    // The odd ones are due and still valid, the even ones have expired.
    await age(store, id, Number(profile.slice(1)) % 2 ? 200_000 : -1_000)
    const held = stage.sandbox.faults.next({ kind: 'hold', processed: Number(profile.slice(1)) > 2 })
    calls.push(holder.call('refresh_token', { profile }))
    await held.reached
    handles.push(held)
  }
  process.kill(holder.pid, 'SIGSTOP')
  const answers = await Promise.all(
    [other, third].flatMap((server) => profiles.map((profile) => server.call('refresh_token', { profile }))),
  )
  for (const [index, answer] of answers.entries()) {
    if ((index % 5) % 2 === 0) expect(answer.data).toMatchObject({ status: 'still_valid', generation: 1 })
    else
      expect(answer.text).toMatch(
        new RegExp(`^FAILED: .*process ${holder.pid} .*code=store_locked recovery=wait`, 's'),
      )
  }
  expect(presentations(stage)).toBe(profiles.length)
  for (const held of handles) held.release()
  process.kill(holder.pid, 'SIGCONT')
  for (const answer of await Promise.all(calls))
    expect(answer.data).toMatchObject({ status: 'refreshed', generation: 2 })
  const after = await Promise.all(profiles.map((profile) => other.call('refresh_token', { profile })))
  for (const answer of after) expect(answer.data).toMatchObject({ status: 'still_valid', generation: 2 })
  expect(presentations(stage)).toBe(profiles.length)
})
