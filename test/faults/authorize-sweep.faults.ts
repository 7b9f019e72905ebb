// The end of an authorization by a pasted address, with every fault at every system call.

import type { ChildProcess } from 'node:child_process'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { startAuthorization } from '../../src/authorize.ts'
import { AuthError } from '../../src/errors.ts'
import { stopHolders } from '../../src/holder.ts'
import { refreshToken } from '../../src/refresh.ts'
import { tokenStatus } from '../../src/status.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import { checkFiles, checkNoLeftovers } from '../support/invariants.ts'
import { freePort } from '../support/program.ts'
import { checkOutputs, openTheatre, type Scene, setScene, type Theatre } from './scene.ts'
import { discover, FAULTS, type Fault, type Point, straceProblem, type Talk } from './strace.ts'
import { report, sweep, type Trial } from './sweep.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep of an authorization. ${problem}`)

const START = {
  profile: 'default',
  scopes: null,
  method: 'browser',
  openBrowser: false,
  callbackUrl: null,
  cancel: false,
} as const

/** Leaves a pending authorization whose process is gone; resolves to the address that the browser ended on. */
async function leavePending(scene: Scene): Promise<string> {
  const deps = scene.open()
  const { pending } = await startAuthorization(deps, START)
  await stopHolders(deps)
  return scene.sandbox.approve(pending?.authorizationUrl ?? '')
}

function message(id: number | null, method: string, params: object): string {
  return `${JSON.stringify({ jsonrpc: '2.0', ...(id === null ? {} : { id }), method, params })}\n`
}

/** Hands the address to the tool, and closes stdin when it has answered. */
function paste(address: string): Talk {
  return (child: ChildProcess) => {
    const clientInfo = { name: 'test', version: '0' }
    const call = { name: 'start_authorization', arguments: { callback_url: address } }
    child.stdin?.write(
      message(1, 'initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo }),
    )
    child.stdin?.write(message(null, 'notifications/initialized', {}))
    child.stdin?.write(message(2, 'tools/call', call))
    let stdout = ''
    child.stdout?.on('data', (chunk) => {
      stdout += chunk
      if (stdout.includes('"id":2')) child.stdin?.end()
    })
  }
}

/** Stdout is pure, and a process that lives answers. */
function answerOf(stdout: string): { isError?: boolean; text: string } | null {
  const messages = stdout.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]))
  const result = messages.find((message) => message.id === 2)?.result
  return result ? { isError: result.isError, text: result.content[0].text } : null
}

function checkAnswer(stdout: string, fault: Fault, struck: string, generation: number): void {
  const answer = answerOf(stdout)
  if (struck.startsWith('write stdout') && fault !== 'delay') return
  if (!answer) throw new Error(`no answer: ${stdout}`)
  if (!answer.isError && generation !== 2) throw new Error('it said that it had succeeded')
  if (answer.isError && fault === 'delay') throw new Error(answer.text)
  if (answer.isError && /code=unexpected_response/.test(answer.text)) throw new Error(answer.text)
}

/** The next process goes on: with the new token, with what the dead one had exchanged, or with a new link. */
async function goOn(scene: Scene): Promise<'stored' | 'taken over' | 'new link'> {
  const deps = scene.open()
  if ((await deps.store.read(scene.id)).generation === 2) return 'stored'
  const started = await startAuthorization(deps, START)
  await stopHolders(deps)
  if (started.status === 'succeeded') return 'taken over'
  const approved = await scene.sandbox.approve(started.pending?.authorizationUrl ?? '')
  const { Secret } = await import('../../src/secret.ts')
  const ended = await startAuthorization(deps, { ...START, callbackUrl: new Secret(approved) })
  if (ended.status !== 'succeeded') throw new Error('a new authorization did not succeed')
  return 'new link'
}

async function setTrial(theatre: Theatre, main: string): Promise<Trial> {
  const redirectUri = `http://localhost:${await freePort()}/callback`
  theatre.sandbox.app.redirectUrls.push(redirectUri)
  const scene = await setScene(theatre, { FEISHU_REDIRECT_URI: redirectUri })
  const address = await leavePending(scene)
  const code = fingerprint(new URL(address).searchParams.get('code') ?? '')
  return {
    scene,
    program: { ...scene.program(main, []), out: null },
    talk: paste(address),
    async judge(ended, fault, struck) {
      checkOutputs(scene, ended)
      const killed = ended.signal === 'SIGKILL'
      const { generation, tokenSet } = await scene.open().store.read(scene.id)
      if (!tokenSet || generation < 1 || generation > 2) throw new Error(`generation ${generation}`)
      if (!killed) checkAnswer(ended.stdout, fault, struck, generation)
      const entries = scene.sandbox.ledger.filter((entry) => entry.fingerprint === code)
      if (entries.length > 1) throw new Error(`the code was presented ${entries.length} times`)
      const status = await tokenStatus(scene.open(), { profile: 'default', verify: false, waitSeconds: 0 })
      if (status.status !== 'valid') throw new Error(`the old token is ${status.status}`)
      const went = await goOn(scene)
      const lost = entries[0]?.outcome === 'granted' && went === 'new link'
      if (lost && !killed && !struck.includes('socket')) throw new Error('the exchanged tokens were lost')
      const next = await refreshToken(scene.open(), { profile: 'default', force: true })
      if (next instanceof AuthError || next.status !== 'refreshed') throw next
      checkFiles(scene.folder, scene.sandbox.secrets())
      checkNoLeftovers(scene.folder)
      return lost
    },
  }
}

describe.skipIf(problem)('the end of an authorization', () => {
  let theatre: Theatre
  let main: string
  let points: Point[]
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    const { scene, program, talk } = await setTrial(theatre, main)
    const found = await discover(program, talk)
    expect(answerOf(found.ended.stdout)?.isError, found.ended.stdout).toBeUndefined()
    // A pipe is neither a disk nor a network, and what is written to it has no path to be found by.
    points = found.points.filter((point) => !/^write (stdout|socket)/.test(point.where))
    scene.close()
  })
  afterAll(() => theatre.close())

  test.each(FAULTS)('keeps its promises with %s at each call', { timeout: 900_000 }, async (fault) => {
    const tally = await sweep(points, fault, () => setTrial(theatre, main))
    report(`authorization, ${fault}`, points, tally)
  })
})
