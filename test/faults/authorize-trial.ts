// The end of an authorization by a pasted address, and what must hold of it whatever goes wrong.

import { refreshToken } from '../../src/refresh.ts'
import { tokenStatus } from '../../src/status.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import { checkFiles, checkNoLeftovers } from '../support/invariants.ts'
import { answerOf, goOn, leavePending, paste, setAuthorizationScene } from './authorization.ts'
import { checkOutputs, type Theatre } from './scene.ts'
import type { Fault, Point } from './strace.ts'
import type { Trial } from './sweep.ts'

function checkAnswer(stdout: string, fault: Fault, struck: string, generation: number): void {
  const answer = answerOf(stdout)
  if (struck.startsWith('write stdout') && fault !== 'delay') return
  if (!answer) throw new Error(`no answer: ${stdout}`)
  if (!answer.isError && generation !== 2) throw new Error('it said that it had succeeded')
  if (answer.isError && fault === 'delay') throw new Error(answer.text)
  if (answer.isError && /code=unexpected_response/.test(answer.text)) throw new Error(answer.text)
}

/** An authorization that a person has approved, its address not yet pasted. */
export async function setAuthorizeTrial(theatre: Theatre, main: string): Promise<Trial> {
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

/** The calls that can be struck: a pipe is neither a disk nor a network, and has no path to be found by. */
export function strikable(points: readonly Point[]): Point[] {
  return points.filter((point) => !/^write (stdout|socket)/.test(point.where))
}
