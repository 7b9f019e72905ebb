import {
  appendFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { beforeEach, describe, expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import { type ActivityLog, createActivityLog, type LoggedCall, recorded } from '../../src/machine/activity.ts'
import type { HttpAnswer, HttpRequest } from '../../src/oauth/http.ts'
import { say } from '../../src/sentence.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_LINKS, NO_POSIX, OWN_FILE, OWN_FOLDER, skipIf, testIf } from '../support/needs.ts'
import { ISSUED_AT } from '../support/token-set.ts'

let directory = ''
let path = ''
let log: ActivityLog
beforeEach(() => {
  directory = join(makeFolder(), 'tokens')
  path = join(directory, 'activity.jsonl')
  log = createActivityLog(directory, path)
})

function makeCall(changes: Partial<LoggedCall> = {}): LoggedCall {
  return {
    at: new Date(ISSUED_AT).toISOString(),
    account: 'feishu-cli_a1-default',
    endpoint: '/open-apis/authen/v2/oauth/token',
    outcome: 'ok',
    code: 0,
    log_id: null,
    duration_ms: 12,
    pid: 7,
    forced: false,
    ...changes,
  }
}

/** Records calls and waits until they are written: they never are at once. */
async function write(...calls: LoggedCall[]): Promise<void> {
  for (const call of calls) log.record(call)
  await new Promise((resume) => setImmediate(resume))
}

const all = (account = 'feishu-cli_a1-default') => log.callsSince(account, 0)

describe('the record of calls', () => {
  test('is not made before the first call, and is for its owner alone', async () => {
    expect(all()).toEqual([])
    expect(existsSync(directory)).toBe(false)
    await write(makeCall())
    expect([statSync(directory).mode & 0o777, statSync(path).mode & 0o777]).toEqual([OWN_FOLDER, OWN_FILE])
  })

  test('tells the calls of one account after an instant, oldest first, whoever wrote them', async () => {
    const at = (minutes: number) => new Date(ISSUED_AT + minutes * 60_000).toISOString()
    await write(makeCall({ at: at(0) }), makeCall({ at: at(1), account: 'other' }))
    const sibling = createActivityLog(directory, path)
    sibling.record(makeCall({ at: at(2), forced: true }))
    sibling.callsSince('other', 0)
    expect(all().map((call) => call.at)).toEqual([at(0), at(2)])
    expect(log.callsSince('feishu-cli_a1-default', ISSUED_AT)).toEqual([
      makeCall({ at: at(2), forced: true }),
    ])
    sibling.record(makeCall({ at: at(3) }))
    sibling.flush()
    expect(all().map((call) => call.at)).toEqual([at(0), at(2), at(3)])
  })

  test('is written after what follows the call, and read at once all the same', async () => {
    log.record(makeCall({ pid: 1 }))
    expect(existsSync(path)).toBe(false)
    log.record(makeCall({ pid: 2 }))
    expect(all().map((call) => call.pid)).toEqual([1, 2])
    await write(makeCall({ pid: 3 }))
    expect(readFileSync(path, 'utf8').split('\n')).toHaveLength(4)
  })

  test('stays bounded, and keeps the newest', async () => {
    const filler = 'x'.repeat(20_000)
    for (let index = 0; index < 60; index += 1) await write(makeCall({ pid: index, log_id: filler }))
    expect(statSync(path).size).toBeLessThanOrEqual(524_288)
    const kept = all().map((call) => call.pid)
    expect(kept.length).toBeGreaterThanOrEqual(10)
    expect(kept).toEqual(kept.map((_, index) => 60 - kept.length + index))
    expect(readFileSync(path, 'utf8')).toMatch(/^\{.*\}\n$/s)
  })

  test.each(['{"at":', 'null', '7', '[]', '{}', '{"account":7}', '\0\0'])(
    'takes a line such as %j for nothing',
    async (line) => {
      await write(makeCall({ pid: 1 }))
      appendFileSync(path, `${line}\n`)
      await write(makeCall({ pid: 2 }))
      expect(all().map((call) => call.pid)).toEqual([1, 2])
    },
  )

  test('that somebody blew up is not read, and begins anew', async () => {
    mkdirSync(directory, { mode: 0o700 })
    writeFileSync(path, 'x'.repeat(3 << 20))
    expect(all()).toEqual([])
    await write(makeCall())
    expect(all()).toEqual([makeCall()])
    expect(statSync(path).size).toBeLessThan(1_000)
  })

  test.for<[string, (victim: string) => void]>([
    ['a link', (victim) => symlinkSync(victim, path)],
    ['a second name of another file', (victim) => linkSync(victim, path)],
    ['a folder', () => mkdirSync(path)],
  ])('that is %s is not written, and no call fails for its sake', async ([what, put], context) => {
    skipIf(what === 'a link' ? NO_LINKS : null, context)
    mkdirSync(directory, { mode: 0o700 })
    const victim = join(directory, 'victim')
    writeFileSync(victim, 'keep me')
    put(victim)
    expect(String(log.problem())).toContain(path)
    await write(makeCall())
    // This process remembers it: what it counts is counted.
    expect(all()).toEqual([makeCall()])
    expect(createActivityLog(directory, path).callsSince('feishu-cli_a1-default', 0)).toEqual([])
    expect(readFileSync(victim, 'utf8')).toBe('keep me')
    rmSync(path, { recursive: true })
    expect(log.problem()).toBeNull()
    expect(readFileSync(path, 'utf8')).toBe(`${JSON.stringify(makeCall())}\n`)
    expect(all()).toEqual([makeCall()])
  })

  test('that cannot be written is remembered within a bound', async () => {
    mkdirSync(path, { recursive: true, mode: 0o700 })
    for (let pid = 1; pid <= 300; pid += 1) log.record(makeCall({ pid }))
    expect(all().map(({ pid }) => pid)).toEqual(Array.from({ length: 200 }, (_, index) => index + 101))
  })
})

describe('a recorded request', () => {
  const request: HttpRequest = {
    method: 'POST',
    url: 'https://open.feishu.cn/open-apis/authen/v2/oauth/token?x=canary',
    headers: { authorization: 'Bearer canary' },
    body: 'refresh_token=canary',
    deadlineMs: 1_000,
    account: { key: 'feishu-cli_a1-default', forced: true },
  }

  async function record(answer: HttpAnswer): Promise<LoggedCall | undefined> {
    let elapsed = 100
    const clock = { now: () => ISSUED_AT, elapsed: () => elapsed }
    const send = recorded(
      async () => {
        elapsed += 42.4
        return answer
      },
      log,
      clock,
    )
    expect(await send(request)).toBe(answer)
    return all().at(-1)
  }

  const answered = (status: number, body: string, headers = {}): HttpAnswer => ({
    kind: 'answer',
    status,
    headers,
    body: Buffer.from(body),
  })
  const error = new CodedError('tls_error', say`canary`, { nextStep: say`.` })

  test('is noted with its time, its duration and its path, and without anything that was sent or answered', async () => {
    const call = await record(answered(200, '{"code":0,"access_token":"canary"}', { 'x-tt-logid': 'l1' }))
    expect(call).toEqual(makeCall({ code: 0, log_id: 'l1', duration_ms: 42, pid: process.pid, forced: true }))
    await record({ kind: 'failure', sent: true, partialBody: Buffer.from('canary'), error })
    expect(all()).toHaveLength(2)
    expect(readFileSync(path, 'utf8')).not.toContain('canary')
  })

  test.each<[string, HttpAnswer, string, number | null]>([
    ['a success', answered(200, '{"code":0}'), 'ok', 0],
    ['a success of Lark', answered(200, '{"code":"0"}'), 'ok', 0],
    ['a success without a code', answered(200, '{"device_code":"d"}'), 'ok', null],
    ['nothing, as a revocation is answered', answered(200, ''), 'ok', null],
    ['a number of Feishu', answered(400, '{"code":20064}'), 'error', 20064],
    ['a number with HTTP 200', answered(200, '{"code":99991668}'), 'error', 99991668],
    ['a page with HTTP 200', answered(200, '<html>'), 'http 200', null],
    ['a page of a proxy', answered(502, '<html>'), 'http 502', null],
    ['an OAuth error without a number', answered(400, '{"error":"invalid_client"}'), 'http 400', null],
    ['JSON that is no object', answered(200, 'null'), 'http 200', null],
    ['a failure', { kind: 'failure', sent: false, partialBody: Buffer.alloc(0), error }, 'tls_error', null],
  ])('that ended with %s says so', async (_what, answer, outcome, code) => {
    expect(await record(answer)).toMatchObject({ outcome, code })
  })
})

testIf(NO_POSIX)('a call is written once, also where the log cannot be shortened', () => {
  // A name that leaves no room for the one of a temporary file.
  path = join(directory, 'a'.repeat(250))
  log = createActivityLog(directory, path)
  mkdirSync(directory, { mode: 0o700 })
  writeFileSync(path, `${'x'.repeat(600_000)}\n`, { mode: 0o600 })
  log.record(makeCall())
  log.flush()
  log.flush()
  expect(log.callsSince(makeCall().account, 0)).toHaveLength(1)
})
