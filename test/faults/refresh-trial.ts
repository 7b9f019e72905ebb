// A refresh by the command line, and what must hold of it whatever goes wrong.

import { CodedError } from '../../src/errors.ts'
import { checkAftermath, checkOutputs, presentationsOf, setScene, type Theatre } from './scene.ts'
import type { Strike, Trial } from './sweep.ts'

/** What a process may say when a call of the system fails; each names the path or the host. */
const EXPLAINED = [
  'config_invalid',
  'store_not_writable',
  'store_unreadable',
  'network_error',
  'key_unavailable',
  'refresh_uncertain',
]

/** A process that lives answers with one document: the token set, or what is wrong. */
function checkAnswer(stdout: string, { fault, struck }: Strike): void {
  if (struck.startsWith('write stdout') && fault !== 'delay') return
  const answer = JSON.parse(stdout)
  if (answer.status === 'refreshed') return
  if (fault === 'delay' || !EXPLAINED.includes(answer.error?.code)) throw new Error(stdout)
}

/** A process that died may have taken an answer with it, one that could not read its socket too; else none is lost. */
function checkNext(next: unknown, lost: boolean, mayLose: boolean): void {
  if (!lost && next instanceof CodedError) throw next
  if (!lost) return
  if (!mayLose) throw new Error('an answer that had arrived was lost')
  if (!(next instanceof CodedError) || next.code !== 'refresh_uncertain') throw next
  if (!/^The refresh of 20\S+Z was interrupted and its answer lost/.test(next.message)) throw next
}

/** A refresh that has not begun. */
export async function setRefreshTrial(theatre: Theatre, main: string): Promise<Trial> {
  const scene = await setScene(theatre)
  return {
    scene,
    program: scene.program(main, ['refresh', '--force', '--json']),
    // The second write of the successor is the answer; the first one reserves its room.
    windowEnd: (places) => places.indexOf('pwrite64 /store/feishu-default.json.next #2'),
    async judge(ended, strike) {
      checkOutputs(scene, ended)
      const killed = ended.signal === 'SIGKILL'
      if (!killed) checkAnswer(ended.stdout, strike)
      const sent = presentationsOf(scene)
      const { next, lost } = await checkAftermath(scene, 1)
      checkNext(next, lost, killed ? strike.inWindow : strike.struck.includes('socket'))
      if (!killed && !lost && sent > 1) throw new Error(`presented ${sent} times although it was answered`)
      return lost
    },
  }
}
