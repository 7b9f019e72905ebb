import { expect, test } from 'vitest'
import { presentations, type Run, run, type Stage, setStage, start } from '../support/program.ts'
import { age, openStore, storeIssued } from '../support/stored.ts'

const NAMES = ['a', 'b', 'c', 'd', 'e', 'f']

async function dueStage(): Promise<Stage> {
  const stage = await setStage()
  const { sandbox, tokenDir } = stage
  const store = openStore(tokenDir)
  for (const profile of NAMES) {
    const id = { brand: 'feishu', appId: sandbox.app.appId, profile } as const
    await storeIssued(store, id, sandbox.issue(), sandbox.user, Date.now())
    await age(store, id)
  }
  return stage
}

function resultsOf({ stdout }: Run): { profile: string; status: string; generation: number }[] {
  return JSON.parse(stdout).results
}

test('two jobs that start together refresh each profile once, spread over their slots', async () => {
  const stage = await dueStage()
  const jobs = [start(stage, ['refresh', '--all', '--json']), start(stage, ['refresh', '--all', '--json'])]
  const ended = await Promise.all(jobs.map(({ end }) => end))
  expect(ended.map(({ code }) => code)).toEqual([0, 0])
  const refreshed = ended.flatMap(resultsOf).filter(({ status }) => status === 'refreshed')
  expect(refreshed.map(({ profile }) => profile).sort()).toEqual(NAMES)
  expect(refreshed.every(({ generation }) => generation === 2)).toBe(true)
  expect(presentations(stage)).toBe(NAMES.length)
  const times = stage.sandbox.ledger.map(({ at }) => at)
  expect(Math.max(...times) - Math.min(...times)).toBeGreaterThan((NAMES.length - 1) * 200)
  expect((await run(stage, ['refresh', '--all'])).stderr).toBe('No profile is due.\n')
})

test('one profile that a person must authorize again makes the exit code 3, and the others are refreshed', async () => {
  const stage = await dueStage()
  stage.sandbox.faults.next({ kind: 'error', code: 20064 })
  const ended = await run(stage, ['refresh', '--all'])
  expect(ended.code).toBe(3)
  expect(ended.stderr.split('\n').filter((line) => line.includes(': refreshed, '))).toHaveLength(5)
  expect(ended.stderr).toMatch(
    /^([a-f]): FAILED: .* login --profile \1` .*code=invalid_grant recovery=reauthorize/m,
  )
})
