// Verdicts that would cost a person: a login declared dead that lives, a store that is damaged and taken for empty.

import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { refreshToken } from '../src/refresh/refresh.ts'
import { tokenStatus } from '../src/status/status.ts'
import { seededRandom } from '../test/faults/process.ts'
import { openTheatre, type Scene, setScene } from '../test/faults/scene.ts'
import { htmlPage, rateLimited, redirectTo } from '../test/feishu-sandbox/fault-presets.ts'
import type { Fault } from '../test/feishu-sandbox/faults.ts'
import { TOKEN_ERRORS } from '../test/feishu-sandbox/feishu-codes.ts'

const STATUSES = [200, 400, 401, 403, 500]
/** Feishu's own word that a person must authorize again. */
const FINAL = [20026, 20037, 20064, 20073]
const MUTATIONS = 1_000

/** Everything that Feishu may answer without having spent the token. */
function harmless(): Fault[] {
  const codes = [...Object.keys(TOKEN_ERRORS).map(Number), 99991400, 20999]
  const faults = codes
    .filter((code) => !FINAL.includes(code))
    .flatMap((code) => STATUSES.map((status): Fault => ({ kind: 'error', code, status })))
  const redirects = ([301, 302, 303, 307, 308] as const).map((status) =>
    redirectTo('http://127.0.0.1:1/', status),
  )
  return [...faults, ...redirects, rateLimited(), htmlPage(503), { kind: 'reset', when: 'before_processing' }]
}

async function statusOf(scene: Scene): Promise<string> {
  const status = await tokenStatus(await scene.open(), { profile: 'default', verify: false, waitSeconds: 0 })
  return status.status
}

/** Logins declared dead although Feishu would have refreshed them. */
export async function countFalseLogouts(): Promise<{ tried: number; falseLogouts: number }> {
  const theatre = await openTheatre()
  const faults = harmless()
  let falseLogouts = 0
  for (const fault of faults) {
    const scene = await setScene(theatre)
    theatre.sandbox.faults.next(fault)
    await refreshToken(await scene.open(), { profile: 'default', force: true }).catch(() => undefined)
    theatre.sandbox.faults.clear()
    const { tokenSet } = await (await scene.open()).store.read(scene.id)
    const live = theatre.sandbox.inspect(tokenSet?.refreshToken?.reveal() ?? '')?.status === 'live'
    if (!live || tokenSet?.refusal || (await statusOf(scene)) !== 'valid') falseLogouts += 1
    scene.close()
  }
  await theatre.close()
  return { tried: faults.length, falseLogouts }
}

export type Damage = { tried: number; takenForEmpty: number; overwritten: number }

/** Truncates the record to every length and changes bytes at random; what is damaged is reported and left alone. */
export async function damageStore(seed: number): Promise<Damage> {
  const theatre = await openTheatre()
  const scene = await setScene(theatre)
  const path = join(scene.folder, 'store', `feishu-${scene.id.appId}-default.json`)
  const whole = readFileSync(path)
  const random = seededRandom(seed)
  const tally: Damage = { tried: 0, takenForEmpty: 0, overwritten: 0 }
  async function check(bytes: Buffer): Promise<void> {
    writeFileSync(path, bytes)
    tally.tried += 1
    if ((await statusOf(scene)) !== 'store_unreadable') tally.takenForEmpty += 1
    const error = await refreshToken(await scene.open(), { profile: 'default', force: true }).catch(
      (error) => error,
    )
    if (error.code !== 'store_unreadable' && error.code !== 'key_unavailable') tally.takenForEmpty += 1
    if (!readFileSync(path).equals(bytes)) tally.overwritten += 1
  }
  for (let length = 0; length < whole.length; length += 1) await check(whole.subarray(0, length))
  for (let count = 0; count < MUTATIONS; count += 1) {
    const bytes = Buffer.from(whole)
    const at = Math.floor(random() * bytes.length)
    bytes[at] = (bytes[at] ?? 0) ^ (1 + Math.floor(random() * 255))
    await check(bytes)
  }
  const corrupt = readdirSync(join(scene.folder, 'store')).filter((name) => name.includes('corrupt'))
  tally.overwritten += corrupt.length
  rmSync(path)
  scene.close()
  await theatre.close()
  return tally
}
