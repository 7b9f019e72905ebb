// The end of an authorization by a pasted address, with every fault at every system call.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refreshToken } from '../../src/refresh.ts'
import { tokenStatus } from '../../src/status.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import { checkFiles, checkNoLeftovers } from '../support/invariants.ts'
import { answerOf, goOn, leavePending, paste, setAuthorizationScene } from './authorization.ts'
import { checkOutputs, openTheatre, type Theatre } from './scene.ts'
import { discover, FAULTS, type Fault, type Point, straceProblem } from './strace.ts'
import { report, sweep, type Trial } from './sweep.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep of an authorization. ${problem}`)

function checkAnswer(stdout: string, fault: Fault, struck: string, generation: number): void {
  const answer = answerOf(stdout)
  if (struck.startsWith('write stdout') && fault !== 'delay') return
  if (!answer) throw new Error(`no answer: ${stdout}`)
  if (!answer.isError && generation !== 2) throw new Error('it said that it had succeeded')
  if (answer.isError && fault === 'delay') throw new Error(answer.text)
  if (answer.isError && /code=unexpected_response/.test(answer.text)) throw new Error(answer.text)
}

async function setTrial(theatre: Theatre, main: string): Promise<Trial> {
  const scene = await setAuthorizationScene(theatre)
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
      const went = await goOn(scene, 1)
      const lost = entries[0]?.outcome === 'granted' && went === 'new link'
      if (lost && !killed && !struck.includes('socket')) throw new Error('the exchanged tokens were lost')
      const next = await refreshToken(scene.open(), { profile: 'default', force: true })
      if (next.status !== 'refreshed') throw new Error(`the new token is ${next.status}`)
      checkFiles(scene.folder, scene.secrets())
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
