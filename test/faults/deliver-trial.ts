// A delivery by the command line. At every moment the client's file is whole, as it was or as it shall be.

import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { removeLeftovers } from '../../src/delivery/replacement.ts'
import { deliverCopies } from '../../src/hand-over/deliver.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { checkOutputs, type Scene, setScene } from './scene.ts'
import type { SetTrial, Trial } from './sweep.ts'

const CONFIG = `{
  // a comment that stays
  "mcpServers": {
    "lark": { "command": "npx", "env": { "USER_ACCESS_TOKEN": "OLD-TOKEN", }, },
  },
}
`
const BY_HAND = { byHand: true, dryRun: false }

type Stored = { accessToken: string; deliver: () => Promise<string> }

/** The token that the scene holds now, and its delivery by another process. */
async function storedIn(scene: Scene): Promise<Stored> {
  const { store, config } = await scene.open()
  const { tokenSet } = await store.read(scene.id)
  if (!tokenSet?.accessToken) throw new Error('the scene has a token')
  const deliver = async () => {
    const [delivery] = await deliverCopies(config, tokenSet, { now: Date.now(), ...BY_HAND })
    return delivery?.status ?? 'none'
  }
  return { accessToken: tokenSet.accessToken.reveal(), deliver }
}

/** A delivery that has not begun: the first to this file, or one after another. */
async function setTrial(
  theatre: Parameters<SetTrial>[0],
  main: string,
  which: 'first' | 'later',
): Promise<Trial> {
  const scene = await setScene(theatre, { FEISHU_DELIVER_TO: 'mcp:~/mcp.json#lark' })
  const path = join(scene.home, 'mcp.json')
  writeFileSync(path, CONFIG, { mode: 0o600 })
  if (which === 'later') {
    await (await storedIn(scene)).deliver()
    // By a process that delivers to nobody.
    await refreshToken(await scene.open({ FEISHU_DELIVER_TO: '' }), { profile: 'default', force: true })
  }
  const before = readFileSync(path, 'utf8')
  const { accessToken } = await storedIn(scene)
  const after = CONFIG.replace('OLD-TOKEN', accessToken)
  if (before === after) throw new Error('there is nothing to be delivered')
  return {
    scene,
    // Nothing is asked of Feishu: there is no answer to lose.
    windowEnd: () => -1,
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
      removeLeftovers(path, Number.NEGATIVE_INFINITY)
      const kept = readdirSync(scene.home).filter((name) => /\.(?:tmp|kept)$/.test(name))
      if (kept.length > 0) throw new Error(`not known for our own: ${kept.join(' ')}`)
      return false
    },
  }
}

export const setFirstDelivery: SetTrial = (theatre, main) => setTrial(theatre, main, 'first')

export const setLaterDelivery: SetTrial = (theatre, main) => setTrial(theatre, main, 'later')
