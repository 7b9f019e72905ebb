import { describe, expect, test } from 'vitest'
import { inChinese } from '../../src/chinese/sentences.ts'
import {
  authorizationId,
  authorizationStatus,
  cancelledOutcome,
  decodePending,
  encodePending,
  expiredOutcome,
  isLive,
  type Outcome,
  type PendingAuthorization,
  withOutcome,
} from '../../src/oauth/pending-authorization.ts'
import { Secret } from '../../src/secret.ts'
import { say } from '../../src/sentence.ts'
import { ISSUED_AT } from '../support/token-set.ts'

const DEADLINE = ISSUED_AT + 600_000
const SUCCEEDED: Outcome = { status: 'succeeded', at: ISSUED_AT + 30_000, failure: null }
const DENIED: Outcome = {
  status: 'denied',
  at: ISSUED_AT + 30_000,
  failure: { code: 'access_denied', message: say`No.`, nextStep: say`Again.`, feishuCode: null, logId: null },
}

function makePending(changes: Partial<PendingAuthorization> = {}): PendingAuthorization {
  return {
    id: authorizationId('state-1'),
    step: 'approve',
    method: 'browser',
    state: new Secret('state-1'),
    codeVerifier: new Secret('verifier-1'),
    scopes: ['docx:document', 'offline_access'],
    redirectUri: 'http://localhost:9000/callback',
    authorizationUrl: 'https://accounts.feishu.cn/open-apis/authen/v1/authorize?client_id=cli_a1',
    device: null,
    startedAt: ISSUED_AT,
    deadlineAt: DEADLINE,
    phase: 'waiting',
    tokens: null,
    outcome: null,
    ...changes,
  }
}

function statusAt(
  pending: PendingAuthorization | null,
  at: number,
  stored: { authorizationId: string | null; authorizedAt: number } | null = null,
): string {
  return authorizationStatus(pending, stored, at).status
}

test('an authorization is named without telling its state', () => {
  expect(authorizationId('state-1')).toMatch(/^[0-9a-f]{16}$/)
  expect(authorizationId('state-1')).toBe(authorizationId('state-1'))
  expect(authorizationId('state-2')).not.toBe(authorizationId('state-1'))
})

test('it lives until its deadline or its end', () => {
  expect(isLive(makePending(), DEADLINE - 1)).toBe(true)
  expect(isLive(makePending(), DEADLINE)).toBe(false)
  expect(isLive(makePending({ outcome: DENIED }), ISSUED_AT)).toBe(false)
})

describe('what is told of an authorization', () => {
  test('is nothing where there is none', () => {
    expect(authorizationStatus(null, null, ISSUED_AT)).toEqual({ status: 'none', outcome: null })
  })

  test('is pending while it waits, is exchanged, and frees its port', () => {
    expect(statusAt(makePending(), ISSUED_AT)).toBe('pending')
    expect(statusAt(makePending({ phase: 'exchanging' }), ISSUED_AT)).toBe('pending')
    expect(statusAt(makePending({ phase: 'closing', outcome: DENIED }), DENIED.at + 1)).toBe('pending')
  })

  test('is its end for ten minutes, then nothing', () => {
    const ended = makePending({ phase: 'ended', outcome: DENIED })
    expect(authorizationStatus(ended, null, DENIED.at)).toEqual({ status: 'denied', outcome: DENIED })
    expect(statusAt(ended, DENIED.at + 600_000)).toBe('denied')
    expect(statusAt(ended, DENIED.at + 600_001)).toBe('none')
  })

  test('is its end although the process died before the port was free', () => {
    const closing = makePending({ phase: 'closing', outcome: DENIED })
    expect(statusAt(closing, DENIED.at + 3_000)).toBe('denied')
  })

  test('is its end although the clock was set back meanwhile', () => {
    expect(statusAt(makePending({ phase: 'closing', outcome: DENIED }), DENIED.at - 86_400_000)).toBe(
      'denied',
    )
  })

  test('is expired when nobody answered, with what to do', () => {
    const { status, outcome } = authorizationStatus(makePending(), null, DEADLINE + 3_000)
    expect(status).toBe('expired')
    expect(outcome?.failure?.code).toBe('authorization_expired')
    expect(String(outcome?.failure?.nextStep)).toContain('start')
    expect(statusAt(makePending(), DEADLINE + 2_999)).toBe('pending')
    expect(statusAt(makePending(), DEADLINE + 600_001)).toBe('none')
  })

  test('is success when its tokens are stored and the process died before it said so', () => {
    const pending = makePending({ phase: 'exchanged' })
    const stored = { authorizationId: pending.id, authorizedAt: ISSUED_AT + 20_000 }
    expect(statusAt(pending, ISSUED_AT + 22_999, stored)).toBe('pending')
    expect(statusAt(pending, ISSUED_AT + 23_000, stored)).toBe('succeeded')
    expect(statusAt(pending, ISSUED_AT + 60_000, { ...stored, authorizationId: 'another' })).toBe('pending')
  })
})

test('a cancelled one says how to begin anew', () => {
  const outcome = cancelledOutcome(ISSUED_AT)
  expect(outcome).toMatchObject({
    status: 'cancelled',
    at: ISSUED_AT,
    failure: { code: 'authorization_expired', feishuCode: null, logId: null },
  })
  expect(String(outcome.failure?.message)).toBe('The authorization was cancelled.')
  expect(String(outcome.failure?.nextStep)).toBe(
    'Call start_authorization when the person wants to authorize.',
  )
})

test('an end takes the secrets away', () => {
  const device = { deviceCode: new Secret('device-1'), userCode: 'ABCD-EFGH', intervalMs: 5_000 }
  const tokens = { token_set: { accessToken: 'access-1' } }
  const ended = withOutcome(makePending({ device, tokens }), SUCCEEDED, 'closing')
  expect(ended).toMatchObject({ phase: 'closing', outcome: SUCCEEDED, tokens: null, device: null })
  expect([ended.state.reveal(), ended.codeVerifier.reveal()]).toEqual(['', ''])
  expect(JSON.stringify(encodePending(ended))).not.toMatch(/state-1|verifier-1|device-1|access-1/)
})

describe('a pending authorization', () => {
  const stored = (pending: PendingAuthorization) => JSON.parse(JSON.stringify(encodePending(pending)))

  test('is read back as it was written, secrets included', () => {
    const device = { deviceCode: new Secret('device-1'), userCode: 'ABCD-EFGH', intervalMs: 5_000 }
    const pending = makePending({ device, method: 'device', outcome: expiredOutcome(makePending()) })
    const read = decodePending(stored(pending))
    expect(read).toEqual(pending)
    expect(read?.state.reveal()).toBe('state-1')
    expect(read?.codeVerifier.reveal()).toBe('verifier-1')
    expect(read?.device?.deviceCode.reveal()).toBe('device-1')
  })

  test.each([{ outcome: null }, { outcome: SUCCEEDED, phase: 'ended' }, { step: 'create_app' }] as const)(
    'with %j is read back',
    (changes) => {
      expect(decodePending(stored(makePending(changes)))).toEqual(makePending(changes))
    },
  )

  test('of an older version, which told no step, is one to approve', () => {
    const { step: _, ...older } = stored(makePending({ step: 'create_app' }))
    expect(decodePending(older)?.step).toBe('approve')
  })

  test('shows none of its secrets by itself', () => {
    expect(JSON.stringify(makePending())).not.toMatch(/state-1|verifier-1/)
  })

  test.each([null, {}, { state: 7, codeVerifier: 'x' }, { state: 'x' }])('%j is none', (json) => {
    expect(decodePending(json)).toBeNull()
  })
})

test('why it failed keeps its parts in the store, and its text for older versions', () => {
  const pending = makePending({ phase: 'ended', outcome: expiredOutcome(makePending()) })
  const stored = JSON.parse(JSON.stringify(encodePending(pending)))
  expect(stored.outcome.failure).toMatchObject({
    message: 'No one approved in time.',
    nextStep:
      'Call start_authorization for a new link; if Feishu showed an error number, call token_status with it as feishu_error.',
  })
  const failure = decodePending(stored)?.outcome?.failure
  const door = { command: 'x', profile: undefined }
  expect(failure && inChinese(failure.message, door)).toBe('授权超时：未在规定时间内完成。')
  expect(failure && inChinese(failure.nextStep, door)).toBe('请运行 `x login` 获取新的链接。')
})

test('why it failed is read as an older version has stored it', () => {
  const pending = makePending({ phase: 'ended', outcome: expiredOutcome(makePending()) })
  const { outcome, ...stored } = JSON.parse(JSON.stringify(encodePending(pending)))
  const { parts: _, ...failure } = outcome.failure
  const read = decodePending({ ...stored, outcome: { ...outcome, failure } })?.outcome?.failure
  expect(String(read?.message)).toBe('No one approved in time.')
  expect(String(read?.nextStep)).toBe(
    'Call start_authorization for a new link; if Feishu showed an error number, call token_status with it as feishu_error.',
  )
})
