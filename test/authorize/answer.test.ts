// What `start_authorization` answers, its next step word for word.

import { beforeEach, expect, test } from 'vitest'
import { startAnswer } from '../../src/authorize/answer.ts'
import type { StartResult } from '../../src/authorize/authorize.ts'
import { appToCome } from '../../src/authorize/pending.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
import type { World } from '../support/deps.ts'
import { makeWorld, start } from './fixture.ts'

let world: World
let started: StartResult
beforeEach(async () => {
  world = await makeWorld()
  started = await start(world.deps)
})

function nextStep(changes: Partial<StartResult>, remote = false): string {
  return String(startAnswer({ ...world.deps, remote }, { ...started, ...changes }).next_step)
}

const ASK = 'Ask the person to open authorization_url on this machine and approve'
const POLL = 'call token_status with wait_seconds 45'
const ELSEWHERE = 'if their browser is elsewhere, give the address it ends on as callback_url'
const ERROR_PAGE = 'if Feishu shows an error number instead, call token_status with it as feishu_error'
const CODE =
  'to compare the code there with ABCD-EFGH, and to approve only if they asked for this login themselves'

test.each<[string, Partial<StartResult>, string]>([
  ['a link', {}, `${ASK}, then ${POLL}; ${ELSEWHERE}; ${ERROR_PAGE}.`],
  [
    'a link that was opened and joined',
    { browserOpened: true, joined: true },
    `The page was opened in the browser: ask the person to approve there, then ${POLL}; ${ELSEWHERE}; to ask for other scopes, call start_authorization with cancel true first.`,
  ],
  [
    'a link that no browser was opened for',
    { browserProblem: say`no browser` },
    `${ASK} (no browser), then ${POLL}; ${ELSEWHERE}; ${ERROR_PAGE}.`,
  ],
  [
    'a reason that is just short enough',
    { browserProblem: say`${'x'.repeat(149)}` },
    `${ASK} (${'x'.repeat(149)}), then ${POLL}.`,
  ],
  [
    'a reason that is too long',
    { browserProblem: say`${'x'.repeat(150)}` },
    `${ASK}, then ${POLL}; ${ELSEWHERE}; ${ERROR_PAGE}.`,
  ],
  [
    'scopes that are not known',
    { unknownScopes: ['a:b', 'x'.repeat(56)] },
    `${ASK}, then ${POLL}; not known here, but asked for all the same: a:b ${'x'.repeat(56)}; ${ELSEWHERE}.`,
  ],
  [
    'too many of them',
    { unknownScopes: ['a:b', 'x'.repeat(57)] },
    `${ASK}, then ${POLL}; 2 of requested_scopes are not known here; ${ELSEWHERE}.`,
  ],
  ['success', { status: 'succeeded' }, 'Nothing is needed: the token is stored; token_status shows it.'],
  ['a cancel', { status: 'cancelled' }, 'Call start_authorization when the person wants to authorize.'],
  [
    'a cancel of nothing',
    { status: 'cancelled', pending: null },
    'Nothing is needed: no authorization was pending, so none was cancelled.',
  ],
])('the next step after %s', (_what, changes, expected) => {
  expect(nextStep(changes)).toBe(expected)
})

test('the next step over SSH is the paste', () => {
  expect(nextStep({}, true)).toBe(
    `Ask the person to open authorization_url in their own browser (this is an SSH session) and approve; the page it ends on cannot load there, so give its whole address as callback_url; if they forward the port and it does load, ${POLL}.`,
  )
})

test('a code is to be compared; the creation of an app leads to a second link', () => {
  const device = { deviceCode: new Secret('device-code'), userCode: 'ABCD-EFGH', intervalMs: 5_000 }
  const pending = started.pending && { ...started.pending, method: 'device' as const, device }
  expect(nextStep({ pending })).toBe(
    `Ask the person to open authorization_url (on any device), ${CODE}; then ${POLL}.`,
  )
  expect(startAnswer(world.deps, { ...started, pending })).toMatchObject({
    user_code: 'ABCD-EFGH',
    redirect_uri: null,
  })
  expect(nextStep({ pending: pending && { ...pending, step: 'create_app' } })).toBe(
    `Ask the person to open authorization_url, where Feishu creates an app of their own (Feishu's own flow, not in its public documentation); then ${POLL}, which tells the second link.`,
  )
})

test('an app that is to come has no page of its own in the console', () => {
  const url = `${world.sandbox.url}/app`
  const answer = startAnswer(world.deps, { ...started, app: appToCome(world.deps, 'work') })
  expect(answer.console_urls).toEqual({ redirect_settings: url, scope_settings: url })
  expect(answer.profile).toBe('work')
})

test('an authorization that has ended has no link any more', () => {
  expect(startAnswer(world.deps, { ...started, status: 'succeeded' })).toMatchObject({
    authorization_step: null,
    authorization_url: null,
    expires_at: null,
    redirect_uri: world.deps.config.redirectUri,
    requested_scopes: started.pending?.scopes,
  })
})
