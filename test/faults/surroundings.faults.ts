// What a process may find itself in: nobody who reads it, an end in the middle, few descriptors, odd folders.

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refreshing, serve, start } from './process.ts'
import {
  checkAftermath,
  checkOutputs,
  openTheatre,
  presentationsOf,
  type Scene,
  setScene,
  type Theatre,
} from './scene.ts'
import { straceProblem } from './strace.ts'
import { buildVariant, WHOLE } from './variant.ts'

let theatre: Theatre
beforeAll(async () => {
  theatre = await openTheatre()
})
afterAll(() => theatre.close())

/** A refresh with a shell around it: `%` stands for the command. */
function refreshingIn(shell: string, main: string = WHOLE): string[] {
  const command = refreshing(main, '--force').map((word) => `'${word}'`)
  return ['sh', '-c', shell.replace('%', command.join(' '))]
}

async function generationOf(scene: Scene): Promise<number> {
  return (await (await scene.open()).store.read(scene.id)).generation
}

test.each([
  ['stdout is full', '% >/dev/full'],
  ['nobody reads stdout', '% | true'],
  ['stdout is closed', '% >&-'],
  ['stderr is closed', '% 2>&-'],
  ['everything is closed', '% <&- >&- 2>&-'],
])('when %s, a refresh is kept all the same', async (_name, shell) => {
  const scene = await setScene(theatre)
  checkOutputs(scene, await start(scene, refreshingIn(shell)).end)
  expect(await generationOf(scene)).toBe(2)
  await checkAftermath(scene, 2)
  scene.close()
})

/** A server that does not wait for an answer is gone by then. */
const GONE_MS = 1_000

type End = (server: ReturnType<typeof serve>) => void
const ENDS: Record<string, End> = {
  'stdin ends': (server) => void server.close(),
  'stdout is closed by the client': (server) => server.hangUp(),
  'SIGTERM comes': (server) => server.kill('SIGTERM'),
  'SIGINT comes': (server) => server.kill('SIGINT'),
  'SIGHUP comes': (server) => server.kill('SIGHUP'),
}

/** Ends a server while Feishu holds the answer; resolves to the generation that is stored then. */
async function endMidway(main: string, end: End): Promise<number> {
  const scene = await setScene(theatre)
  const held = theatre.sandbox.faults.next({ kind: 'hold', processed: true })
  const server = serve(scene, main)
  void server.call('refresh_token', { force: true })
  await held.reached
  end(server)
  await Promise.race([server.end, new Promise((resume) => setTimeout(resume, GONE_MS))])
  held.release()
  checkOutputs(scene, await server.end)
  const generation = await generationOf(scene)
  expect(presentationsOf(scene)).toBe(1)
  await checkAftermath(scene, 1)
  scene.close()
  return generation
}

describe('in the middle of a refresh', () => {
  test.each(Object.entries(ENDS))('when %s, the answer is waited for and kept', async (_name, end) => {
    expect(await endMidway(WHOLE, end)).toBe(2)
  })

  test('a server that does not wait loses it: the control', async () => {
    const hasty = await buildVariant('waiting-for-answers', [
      {
        file: 'src/wiring/under-way.ts',
        from: 'works.size > 0',
        to: 'works.size > 1_000',
      },
    ])
    expect(await endMidway(hasty, ENDS['SIGTERM comes'] as End)).toBe(1)
  })
})

test('with few file descriptors a refresh is whole, or nothing of it is spent', async () => {
  const seen = new Set<string>()
  for (let descriptors = 14; descriptors <= 34; descriptors += 2) {
    const scene = await setScene(theatre)
    const ended = await start(scene, refreshingIn(`ulimit -n ${descriptors}; exec %`)).end
    checkOutputs(scene, ended)
    // Node itself needs some, and says so by a signal.
    const answer = ended.stdout === '' ? null : JSON.parse(ended.stdout)
    seen.add(answer === null ? 'not started' : (answer.status ?? answer.error.code))
    if (answer?.status !== 'refreshed') expect(presentationsOf(scene)).toBe(0)
    expect((await checkAftermath(scene, 1)).lost).toBe(false)
    scene.close()
  }
  console.log([...seen])
  expect(seen).toContain('refreshed')
  expect(seen.size).toBeGreaterThan(1)
})

describe.skipIf(straceProblem())('randomness', () => {
  test.each([
    [
      'that fails is not replaced by anything weaker: nothing starts',
      ['-e', 'inject=getrandom:error=EAGAIN'],
      1,
    ],
    ['that is merely watched changes nothing: the control', [], 2],
  ])('%s', async (_name, injection, generation) => {
    const scene = await setScene(theatre)
    const traced = ['strace', '-f', '-o', '/dev/null', '-e', 'trace=getrandom', ...injection]
    const ended = await start(scene, [...traced, ...refreshing(WHOLE, '--force')]).end
    checkOutputs(scene, ended)
    expect(ended.code === 0).toBe(generation === 2)
    expect(presentationsOf(scene)).toBe(generation - 1)
    expect(await generationOf(scene)).toBe(generation)
    await checkAftermath(scene, generation)
    scene.close()
  })
})

test.each(['a folder', '你好', '🦊', "it's", '$ 5', '%', 'x'.repeat(200)])(
  'a store in a folder named %s is as good as any',
  async (name) => {
    const folder = join(theatre.root, name)
    mkdirSync(folder)
    const scene = await setScene(theatre, { FEISHU_TOKEN_DIR: folder })
    const ended = await start(scene, refreshing(WHOLE, '--force')).end
    expect(JSON.parse(ended.stdout), ended.stdout).toMatchObject({ status: 'refreshed', generation: 2 })
    await checkAftermath(scene, 2)
    scene.close()
  },
)
