// Commands that change or hand out what is stored, and what must hold of each whatever goes wrong.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readKeptApps } from '../../src/app/app.ts'
import type { Deps } from '../../src/deps.ts'
import { CodedError } from '../../src/errors.ts'
import type { TokenRecord } from '../../src/oauth/token-set.ts'
import { importTokens } from '../../src/profiles/import.ts'
import { moveStoreKey } from '../../src/profiles/key-move.ts'
import { logout } from '../../src/profiles/logout.ts'
import { renameProfile } from '../../src/profiles/profiles.ts'
import { refreshToken } from '../../src/refresh/refresh.ts'
import { tokenStatus } from '../../src/status/status.ts'
import { checkFiles, checkNoLeftovers, checkNoProcess, checkText } from '../support/invariants.ts'
import { age } from '../support/stored.ts'
import { EXPLAINED, judgeRefresh, refreshWindowEnd } from './refresh-trial.ts'
import { checkOutputs, presentationsOf, type Scene, setScene } from './scene.ts'
import type { Ended } from './strace.ts'
import type { SetTrial, Strike } from './sweep.ts'

type Json = Record<string, unknown>
type Failure = { error: { code: string } }

const BY_PROFILE = { profile: 'default', verify: false, waitSeconds: 0 }

/** What was answered, if the command says that it is done; null: it died, was kept from speaking, or says why not. */
function answerOf({ stdout, signal, code }: Ended, { fault, struck }: Strike): Json | null {
  const spoke = stdout.endsWith('\n')
  if (!spoke && (signal === 'SIGKILL' || (struck.startsWith('write stdout') && fault !== 'delay')))
    return null
  const answer = JSON.parse(stdout) as Json | Failure
  if (!('error' in answer)) return answer
  const { code: why } = (answer as Failure).error
  // The system says so of a lock that another process holds.
  const isBusy = fault === 'EACCES' && struck.startsWith('fcntl') && why === 'store_locked'
  if (fault === 'delay' || code === 0 || !(EXPLAINED.includes(why) || isBusy)) throw new Error(stdout)
  return null
}

/** The refresh token that is in force; null: none is, or it is withheld. */
function inForce({ tokenSet }: TokenRecord): string | null {
  return tokenSet && !tokenSet.refusal ? (tokenSet.refreshToken?.reveal() ?? null) : null
}

function demand(held: boolean, otherwise: string): void {
  if (!held) throw new Error(otherwise)
}

/** Nothing of a command is left, and the tokens that are in force can be used, once. */
async function checkEnd(scene: Scene, deps: Deps): Promise<void> {
  const result = await refreshToken(deps, { profile: deps.config.profile, force: true })
  demand(result.status === 'refreshed', `the next refresh: ${result.status}`)
  demand(presentationsOf(scene) <= 1, `presented ${presentationsOf(scene)} times`)
  checkFiles(scene.folder, scene.secrets())
  checkNoLeftovers(scene.folder)
}

/** What a trial of a command consists of; nothing of Feishu's is lost by any of them. */
type Plan = {
  settings?: Record<string, string>
  arrange?: (scene: Scene) => Promise<void> | void
  args: (scene: Scene) => string[]
  /** `answer`: what it says that it has done; null: it was kept from it, or from saying so. */
  judge: (scene: Scene, answer: Json | null) => Promise<void>
}

function trialOf({ settings, arrange, args, judge }: Plan): SetTrial {
  return async (theatre, main) => {
    const scene = await setScene(theatre, settings)
    await arrange?.(scene)
    return {
      scene,
      program: { ...scene.program(main, [...args(scene), '--json']), folder: scene.home },
      windowEnd: () => -1,
      async judge(ended, strike) {
        checkOutputs(scene, ended)
        checkNoProcess(scene.folder)
        await judge(scene, answerOf(ended, strike))
        return false
      },
    }
  }
}

/** `token` of a profile whose token is due: what it prints can be used, and else it prints nothing. */
export const setTokenTrial: SetTrial = async (theatre, main) => {
  const scene = await setScene(theatre)
  await age((await scene.open()).store, scene.id)
  return {
    scene,
    program: scene.program(main, ['token']),
    windowEnd: refreshWindowEnd,
    async judge(ended, strike) {
      checkText('stderr', ended.stderr, scene.secrets())
      const printed = ended.stdout.trimEnd()
      if (printed !== '')
        demand(scene.sandbox.inspect(printed)?.status === 'live', 'printed what is no token')
      const mute = ended.signal === 'SIGKILL' || strike.struck.startsWith('write stdout')
      if (!mute) demand((ended.code === 0) === (printed !== ''), `exit ${ended.code} with "${printed}"`)
      return judgeRefresh(scene, ended, strike)
    },
  }
}

export const setLogoutTrial: SetTrial = trialOf({
  args: () => ['logout'],
  async judge(scene, answer) {
    const isRevoked = () => scene.sandbox.inspect(scene.refreshToken)?.status === 'revoked'
    const deps = await scene.open()
    const { status } = await tokenStatus(deps, BY_PROFILE)
    demand(status !== 'valid' || !isRevoked(), 'a revoked token is called valid')
    demand(!answer || status === 'not_authorized', `logged out, and the status is ${status}`)
    demand(!answer?.revoked || isRevoked(), 'said that it was revoked')
    await logout(await scene.open(), 'default')
    demand(isRevoked() || answer !== null, 'the grant lives on, and nobody is told')
    const after = await tokenStatus(await scene.open(), BY_PROFILE)
    demand(after.status === 'not_authorized', `after the next logout: ${after.status}`)
    checkFiles(scene.folder, scene.secrets())
    checkNoLeftovers(scene.folder)
  },
})

const OTHER_KEY = Buffer.alloc(32, 7).toString('base64')
const OTHER_APP = { app_id: 'cli_other', app_secret: 'not-a-secret', brand: 'feishu' }

/** From the key file to the environment, with credentials that are sealed too. */
export const setKeyTrial: SetTrial = trialOf({
  settings: { FEISHU_TOKEN_KEY: OTHER_KEY },
  async arrange(scene) {
    await (await scene.open()).store.updateApps(() => ({ other: OTHER_APP }))
  },
  args: () => ['key', '--move-to', 'env'],
  async judge(scene, answer) {
    const oldKeys = () => readdirSync(join(scene.folder, 'key')).filter((name) => name.endsWith('.key'))
    const check = async (deps: Deps) => {
      demand(inForce(await deps.store.read(scene.id)) === scene.refreshToken, 'the token is not what it was')
      demand((await readKeptApps(deps)).other?.app_id === OTHER_APP.app_id, 'the credentials are gone')
    }
    await check(await scene.open())
    demand(!answer?.old_keys_removed || oldKeys().length === 0, 'said that the old key was removed')
    const next = await moveStoreKey(await scene.open(), 'env')
    demand(next.old_keys_removed && oldKeys().length === 0, `the old key is left: ${JSON.stringify(next)}`)
    const deps = await scene.open()
    demand(deps.store.keySource(scene.id) === 'env', 'the next move did not complete it')
    await check(deps)
    await checkEnd(scene, deps)
  },
})

export const setRenameTrial: SetTrial = trialOf({
  args: () => ['profile', 'rename', 'default', 'work'],
  async judge(scene, answer) {
    const open = (profile: string) => scene.open({ FEISHU_PROFILE: profile })
    const read = async (profile: string) => (await open(profile)).store.read({ ...scene.id, profile })
    const records = [await read('default'), await read('work')]
    const holders = records.filter(inForce)
    demand(holders.length <= 1, 'two profiles would present one token')
    demand(
      records.some(({ tokenSet }) => tokenSet?.refreshToken?.reveal() === scene.refreshToken),
      'no profile is told to have the token',
    )
    const [, there] = records
    const moved = there !== undefined && inForce(there) !== null
    demand(!answer || moved, 'said that it was renamed')
    const again = await renameProfile(await open('default'), { from: 'default', to: 'work' }).catch(
      (error) => {
        if (error instanceof CodedError && moved) return null
        throw error
      },
    )
    demand(again !== null || moved, 'the same call did not complete it')
    demand((await read('default')).tokenSet === null, 'the old name still has a token')
    demand(inForce(await read('work')) === scene.refreshToken, 'the new name has no token')
    await checkEnd(scene, await open('work'))
  },
})

/** Over a token set that is there, as after a login by the old script. */
export const setImportTrial: SetTrial = trialOf({
  arrange(scene) {
    const issued = { ...scene.sandbox.issue(), obtained_at: Math.floor(Date.now() / 1000) }
    writeFileSync(join(scene.home, 'token.json'), JSON.stringify(issued), { mode: 0o600 })
  },
  args: (scene) => ['import', '--force', join(scene.home, 'token.json')],
  async judge(scene, answer) {
    const path = join(scene.home, 'token.json')
    demand(existsSync(path), 'the file is gone')
    const imported = JSON.parse(readFileSync(path, 'utf8')).refresh_token
    const held = async () => inForce(await (await scene.open()).store.read(scene.id))
    const now = await held()
    demand(
      now === imported || (now === scene.refreshToken && !answer),
      'neither the old token nor the new one',
    )
    await importTokens(await scene.open(), { profile: 'default', path, force: true })
    demand((await held()) === imported, 'the next import did not store it')
    await checkEnd(scene, await scene.open())
  },
})
