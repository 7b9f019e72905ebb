// A delivery, with faults at every system call: the client's file is whole at every moment, as it was or as it shall be.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deliverCopies } from '../../src/deliver.ts'
import { refreshToken } from '../../src/refresh.ts'
import { checkOutputs, openTheatre, type Scene, setScene, type Theatre } from './scene.ts'
import { discover, type Fault, type Point, straceProblem } from './strace.ts'
import { report, sweep, type Trial } from './sweep.ts'
import { buildVariant } from './variant.ts'

const problem = straceProblem()
if (problem) console.warn(`SKIPPED: the system call sweep of a delivery. ${problem}`)

const CONFIG = `{
  // a comment that stays
  "mcpServers": {
    "lark": { "command": "npx", "env": { "USER_ACCESS_TOKEN": "OLD-TOKEN", }, },
  },
}
`
const FAULTS: readonly Fault[] = ['SIGKILL', 'EIO', 'ENOSPC']
const BY_HAND = { byHand: true, dryRun: false }

type Stored = { accessToken: string; deliver: () => Promise<string> }

/** The token that the scene holds now, and its delivery by another process. */
async function storedIn(scene: Scene): Promise<Stored> {
  const { store, config } = scene.open()
  const { tokenSet } = await store.read(scene.id)
  if (!tokenSet?.accessToken) throw new Error('the scene has a token')
  const deliver = async () => {
    const [delivery] = await deliverCopies(config, tokenSet, { now: Date.now(), ...BY_HAND })
    return delivery?.status ?? 'none'
  }
  return { accessToken: tokenSet.accessToken.reveal(), deliver }
}

/** A delivery that has not begun: the first to this file, or one after another. */
async function setDeliverTrial(theatre: Theatre, main: string, which: string): Promise<Trial> {
  const scene = await setScene(theatre, { FEISHU_DELIVER_TO: 'mcp:~/mcp.json#lark' })
  const path = join(scene.home, 'mcp.json')
  writeFileSync(path, CONFIG, { mode: 0o600 })
  if (which === 'later') {
    expect(await (await storedIn(scene)).deliver()).toBe('delivered')
    await refreshToken(scene.open(), { profile: 'default', force: true })
  }
  const before = readFileSync(path, 'utf8')
  const { accessToken } = await storedIn(scene)
  const after = CONFIG.replace('OLD-TOKEN', accessToken)
  return {
    scene,
    program: { ...scene.program(main, ['deliver', '--json']), folder: scene.home },
    async judge(ended) {
      checkOutputs(scene, ended)
      const now = readFileSync(path, 'utf8')
      if (now !== before && now !== after) throw new Error(`the file is neither old nor new:\n${now.length}`)
      const left = readdirSync(scene.home).filter((name) => name.endsWith('.tmp'))
      const exposed = left.filter((name) => (statSync(join(scene.home, name)).mode & 0o077) !== 0)
      if (left.length > 1 || exposed.length > 0) throw new Error(`left behind: ${left.join(' ')}`)
      const status = await (await storedIn(scene)).deliver()
      if (!['delivered', 'unchanged'].includes(status)) throw new Error(`the next delivery: ${status}`)
      if (readFileSync(path, 'utf8') !== after) throw new Error('the next delivery did not write the token')
      return false
    },
  }
}

describe.skipIf(problem).each(['first', 'later'])('the %s delivery', (which) => {
  let theatre: Theatre
  let main: string
  let points: Point[]
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    const { scene, program } = await setDeliverTrial(theatre, main, which)
    const found = await discover(program)
    expect(JSON.parse(found.ended.stdout)).toMatchObject({ deliveries: [{ status: 'delivered' }] })
    points = found.points
    scene.close()
  })
  afterAll(() => theatre.close())

  test.each(FAULTS)('leaves a whole file with %s at each call', { timeout: 900_000 }, async (fault) => {
    const tally = await sweep(points, fault, () => setDeliverTrial(theatre, main, which))
    report(`${which} delivery, ${fault}`, points, tally)
  })
})
