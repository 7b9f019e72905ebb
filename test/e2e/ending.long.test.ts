// Whoever presents something that works once sees the answer through, whatever signal comes.

import { constants } from 'node:os'
import { describe, expect, test } from 'vitest'
import { buildVariant } from '../faults/variant.ts'
import {
  COMMANDS,
  dueStage,
  type Entry,
  expectKept,
  recordOf,
  SERVERS,
  type Started,
  start,
  startGateway,
  storeDue,
  strike,
} from '../support/presenters.ts'
import { PROGRAM, presentations, type Stage } from '../support/program.ts'

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
type Signal = (typeof SIGNALS)[number]
const BLOWS = SIGNALS.flatMap((signal) => [1, 2].map((times) => [signal, times] as const))

const ENTRIES = { ...COMMANDS, ...SERVERS }

async function send(started: Started, signal: Signal, times: number): Promise<void> {
  for (let nth = 1; nth <= times; nth += 1) {
    started.child.kill(signal)
    await started.written(/: finishing what was sent/, nth)
  }
}

const numberOf = (signal: Signal) => 128 + constants.signals[signal]

describe.each(Object.entries(ENTRIES))('%s', (_name, entry) => {
  test.each(BLOWS)(
    'told to end by %s, %i times, keeps the answer and exits with 128+n',
    async (signal, times) => {
      const { stage, code } = await strike(entry, (started) => send(started, signal, times))
      expect(code).toBe(numberOf(signal))
      await entry.kept(stage)
    },
  )
})

test('a program that has asked the standing gateway gets its answer before that ends', async () => {
  const stage = await dueStage()
  const held = stage.sandbox.faults.next({ kind: 'hold', processed: true })
  const { started, status } = await startGateway(stage, PROGRAM)
  await held.reached
  await send(started, 'SIGTERM', 2)
  held.release()
  expect([await status, await started.end]).toEqual([200, 143])
})

/** A child of exec in the middle of a call through the gateway. */
const calling = (then: string) => `
  const { FEISHU_OPEN_URL: origin, USER_ACCESS_TOKEN: key } = process.env
  const headers = { authorization: 'Bearer ' + key }
  const call = fetch(origin + '/open-apis/authen/v1/user_info', { headers }).catch(() => ({ status: 0 }))
  const got = []
  ${then}
`
const QUICK = calling('')
const CHOOSING = calling(
  `for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => process.exit(7))`,
)
const PATIENT = calling(`
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => {
    got.push(name)
    console.log('got ' + name)
  })
  call.then(({ status }) => {
    console.log(JSON.stringify({ status, got }))
    process.exit(9)
  })
`)

/** Runs such a child until its call is held. */
async function startCalling(
  script: string,
): Promise<{ stage: Stage; started: Started; release: () => void }> {
  const stage = await dueStage()
  const held = stage.sandbox.faults.next({ kind: 'hold', processed: true })
  const started = start(stage, PROGRAM, ['exec', '--', process.execPath, '-e', script])
  await held.reached
  return { stage, started, release: held.release }
}

describe.each(BLOWS)('exec while its child runs, told to end by %s, %i times', (signal, times) => {
  test('ends as its child does by the signal, and sees the refresh of its gateway through', async () => {
    const { stage, started, release } = await startCalling(QUICK)
    for (let nth = 1; nth <= times; nth += 1) started.child.kill(signal)
    release()
    expect(await started.end).toBe(numberOf(signal))
    await expectKept(stage)
  })

  test('hands each one on, and gives the child the answer and its exit code if it waits for them', async () => {
    const { stage, started, release } = await startCalling(PATIENT)
    for (let nth = 1; nth <= times; nth += 1) {
      started.child.kill(signal)
      await started.written(new RegExp(`got ${signal}`), nth)
    }
    release()
    expect(await started.end).toBe(9)
    expect(started.text()).toContain(JSON.stringify({ status: 200, got: Array(times).fill(signal) }))
    await expectKept(stage)
  })
})

test('a child of exec that ends with a code of its own at the signal gives that code', async () => {
  const { stage, started, release } = await startCalling(CHOOSING)
  started.child.kill('SIGTERM')
  release()
  expect(await started.end).toBe(7)
  await expectKept(stage)
})

test('what has not begun does not begin', async () => {
  const stage = await dueStage()
  for (const profile of ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']) await storeDue(stage, profile)
  const held = stage.sandbox.faults.next({ kind: 'hold', processed: true }, Number.POSITIVE_INFINITY)
  const started = start(stage, PROGRAM, ['refresh', '--all'])
  await held.reached
  await send(started, 'SIGTERM', 1)
  stage.sandbox.faults.clear()
  expect(await started.end).toBe(143)
  // Four at once at most, and none after the signal.
  expect(presentations(stage)).toBeLessThanOrEqual(4)
  expect(started.text()).toMatch(/Stopped: \d profiles are left for the next run\./)
})

test('a third signal ends at once', async () => {
  const stage = await dueStage()
  const held = stage.sandbox.faults.next({ kind: 'hold' })
  const started = start(stage, PROGRAM, ['refresh'])
  await held.reached
  await send(started, 'SIGINT', 2)
  started.child.kill('SIGTERM')
  expect(await started.end).toBe(143)
  held.release()
})

describe('the control: the answer is lost where what is under way is not seen through', () => {
  const names = ['refresh', 'logout', 'the standing gateway', ...Object.keys(SERVERS)]
  test.each(names.filter((name) => !name.includes('logs in')))('%s', async (name) => {
    const hasty = await buildVariant('seeing-through', [
      { file: 'src/wiring/under-way.ts', from: 'works.size > 0', to: 'works.size > 1_000' },
      { file: 'src/wiring/ending.ts', from: 'const TELL_MS = 1_000', to: 'const TELL_MS = 0' },
    ])
    const { stage, code } = await strike(
      ENTRIES[name] as Entry,
      async ({ child, end }) => {
        child.kill('SIGTERM')
        await end
      },
      { main: hasty },
    )
    expect(code).toBe(143)
    expect((await recordOf(stage)).record.generation).toBe(1)
  })
})
