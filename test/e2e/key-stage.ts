// A store whose key is to be moved, and what is to be seen of it.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { type Environment, run, type Stage, setStage } from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

export const ENVIRONMENT_KEY: string = Buffer.alloc(32, 9).toString('base64')
export const NO_BUS = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' }
/** Without a bus a key file. Elsewhere `auto` would take the keychain of whoever runs the tests. */
export const LINUX: boolean = process.platform === 'linux'
export const KEY_FILE: Environment = { ...NO_BUS, FEISHU_TOKEN_KEY_SOURCE: LINUX ? 'auto' : 'file' }

/** A store whose key is in a file, with the app's credentials and a token for each profile. */
export async function storedStage(profiles: string[]): Promise<Stage> {
  const stage = await setStage({ env: KEY_FILE })
  const { sandbox, tokenDir } = stage
  const kept = await run(stage, ['setup', '--app-id', sandbox.app.appId, '--app-secret-stdin'], {
    input: sandbox.app.appSecret,
  })
  expect(kept.code).toBe(0)
  for (const profile of profiles) {
    const id = { brand: 'feishu', appId: sandbox.app.appId, profile } as const
    await storeIssued(openStore(tokenDir), id, sandbox.issue(), sandbox.user, Date.now())
  }
  return stage
}

export async function statusOf(
  stage: Stage,
  profile: string,
  env: Environment = {},
): Promise<Record<string, unknown>> {
  const { stdout } = await run(stage, ['status', '--json', '--profile', profile], { env })
  return JSON.parse(stdout)
}

/** The places that the sealed files name. */
export function sourcesOf(stage: Stage): string[] {
  const folder = join(stage.tokenDir, 'store')
  const sealed = readdirSync(folder).filter((name) => /\.json(\.pending)?$/.test(name))
  const paths = [join(stage.tokenDir, 'app.json'), ...sealed.map((name) => join(folder, name))]
  return [...new Set(paths.map((path) => JSON.parse(readFileSync(path, 'utf8')).key_source))]
}

export function keyFiles(stage: Stage): string[] {
  const folder = join(stage.tokenDir, 'key')
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.key')) : []
}
