// An authorization from its link to the stored tokens, and what must hold of it whatever goes wrong.

import { FACES } from '../../src/loopback/page-text.ts'
import { decodePending } from '../../src/oauth/pending-authorization.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { fingerprint } from '../feishu-sandbox/ledger.ts'
import { checkFiles, checkNoLeftovers, checkNoProcess, checkText } from '../support/invariants.ts'
import { answerOf, approveAtListener, goOn, setAuthorizationScene, type Visit } from './authorization.ts'
import { checkOutputs, type Theatre } from './scene.ts'
import type { Strike, Trial } from './sweep.ts'

/** What a person reads of a page. */
function wordsOf(visit: Visit | null): string {
  const text = visit?.page?.replace(/<(style|svg)[\s\S]*?<\/\1>|<[^>]*>/g, ' ') ?? 'none'
  return text.replace(/\s+/g, ' ').trim()
}

/** A process that lives answers the call, and shows the person a page that is true. */
function checkAnswer(
  stdout: string,
  { fault, struck }: Strike,
  visit: Visit | null,
  generation: number,
): void {
  const answer = answerOf(stdout)
  const deaf = struck.includes('socket') && fault !== 'delay'
  if (!answer && !deaf) throw new Error(`no answer: ${stdout}`)
  if (answer?.isError && fault === 'delay') throw new Error(answer.text)
  if (answer?.isError && /code=unexpected_response/.test(answer.text)) throw new Error(answer.text)
  if (answer && !answer.isError && !visit?.page && !deaf) throw new Error('no page')
  const told = visit?.page?.includes(FACES.succeeded.title.en)
  if (!told && fault === 'delay') throw new Error(`another page than that of success: ${wordsOf(visit)}`)
  if (told && generation !== 2) throw new Error('the page said that it had succeeded')
}

/** The tokens are kept when they lie beside the record: before Feishu is asked whose they are. */
function windowEnd(places: readonly string[]): number {
  const asked = places.indexOf('connect socket #1')
  return places.findIndex(
    (where, index) => index > asked && /^(connect socket #2|rename .*\.pending #)/.test(where),
  )
}

/** Waiting, too, looks at the pending authorization: such a call's number does not tell when it came. */
const LOOK = /^(statx|openat|pread64|close) \S+\.pending #/

/** An authorization that nobody has asked for yet. */
export async function setAuthorizeTrial(theatre: Theatre, main: string): Promise<Trial> {
  const scene = await setAuthorizationScene(theatre)
  let visit: Visit | null = null
  return {
    scene,
    program: { ...scene.program(main, []), out: null },
    talk: approveAtListener(scene, (seen) => {
      visit = seen
    }),
    windowEnd,
    async judge(ended, strike) {
      checkOutputs(scene, ended)
      checkText('the page', visit?.page ?? '', scene.secrets())
      checkNoProcess(scene.folder)
      const killed = ended.signal === 'SIGKILL'
      const { generation, tokenSet } = await (await scene.open()).store.read(scene.id)
      if (!tokenSet || generation < 1 || generation > 2) throw new Error(`generation ${generation}`)
      if (!killed) checkAnswer(ended.stdout, strike, visit, generation)
      const code = fingerprint(new URL(visit?.address ?? 'http://none').searchParams.get('code') ?? '')
      const entries = scene.sandbox.ledger.filter((entry) => entry.fingerprint === code)
      if (entries.length > 1) throw new Error(`the code was presented ${entries.length} times`)
      const pending = decodePending(await (await scene.open()).store.readPending(scene.id).catch(() => null))
      const status = await tokenStatus(await scene.open(), {
        profile: 'default',
        verify: false,
        waitSeconds: 0,
      })
      if (status.status !== 'valid') throw new Error(`the old token is ${status.status}`)
      const went = await goOn(scene, 1)
      // Tokens of an unknown person never take the place of a known one's: that is no loss but the contract.
      const unknown = /did not say who logged in/.test(String(status.authorization_error))
      const lost = entries[0]?.outcome === 'granted' && went === 'new link' && !unknown
      const inWindow = LOOK.test(strike.struck) ? pending?.phase === 'exchanging' : strike.inWindow
      const mayLose = killed ? inWindow : strike.struck.includes('socket')
      if (lost && !mayLose) throw new Error('tokens that had arrived were lost')
      const next = await refreshToken(await scene.open(), { profile: 'default', force: true })
      if (next.status !== 'refreshed') throw new Error(`the new token is ${next.status}`)
      checkFiles(scene.folder, scene.secrets())
      checkNoLeftovers(scene.folder)
      return lost
    },
  }
}
