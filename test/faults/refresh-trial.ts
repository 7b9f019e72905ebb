// A refresh by the command line, and what must hold of it whatever goes wrong.

import { CodedError } from '../../src/errors.ts'
import { checkAftermath, checkOutputs, presentationsOf, type Scene, setScene, type Theatre } from './scene.ts'
import type { Ended } from './strace.ts'
import type { Strike, Trial } from './sweep.ts'

/** What a process may say when a call of the system fails; each names the path or the host. */
export const EXPLAINED: readonly string[] = [
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

/** The second write of the successor is the answer; the first one reserves its room. */
export function refreshWindowEnd(places: readonly string[]): number {
  return places.indexOf('pwrite64 /store/feishu-default.json.next #2')
}

/** What must hold of the store when a process that presented its token is over. Resolves to whether it was lost. */
export async function judgeRefresh(scene: Scene, { signal }: Ended, strike: Strike): Promise<boolean> {
  const killed = signal === 'SIGKILL'
  const sent = presentationsOf(scene)
  const { next, lost } = await checkAftermath(scene, 1)
  checkNext(next, lost, killed ? strike.inWindow : strike.struck.includes('socket'))
  if (!killed && !lost && sent > 1) throw new Error(`presented ${sent} times although it was answered`)
  return lost
}

/** A refresh that has not begun. */
export async function setRefreshTrial(theatre: Theatre, main: string): Promise<Trial> {
  const scene = await setScene(theatre)
  return {
    scene,
    program: scene.program(main, ['refresh', '--force', '--json']),
    windowEnd: refreshWindowEnd,
    async judge(ended, strike) {
      checkOutputs(scene, ended)
      if (ended.signal !== 'SIGKILL') checkAnswer(ended.stdout, strike)
      return judgeRefresh(scene, ended, strike)
    },
  }
}
