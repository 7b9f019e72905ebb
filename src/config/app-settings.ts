// The settings that name the app: its id with its secret, under our names and under those of other programs.

import { expandHome } from '../machine/home.ts'
import type { Machine } from '../machine/system.ts'
import { secretProblem } from '../oauth/app-credentials.ts'
import { APP_ID } from '../profile.ts'
import { Secret } from '../secret.ts'
import { say } from '../sentence.ts'
import type { SettingsReader } from './settings-reader.ts'

/** The app's credentials as given by the environment; a file is read when the secret is first needed. */
export type EnvironmentApp = { appId: string; secret: Secret | { file: string } }

/** `FEISHU_APP_ID` with its secret. */
export function readApp(reader: SettingsReader, machine: Machine): EnvironmentApp | null {
  const known = reader.problems.length
  const appId = reader.text('FEISHU_APP_ID')
  const text = reader.text('FEISHU_APP_SECRET')
  const file = reader.text('FEISHU_APP_SECRET_FILE')
  const problem = text && secretProblem(text)
  if (problem) reader.problems.push(say`FEISHU_APP_SECRET is no App Secret: ${problem}`)
  // A setting that holds a bad value is not missing.
  if (reader.problems.length > known) return null
  const secret = text ? new Secret(text) : file ? { file: expandHome(file, machine) } : sameApp(reader, appId)
  if (!appId && !secret) return null
  if (!appId) reader.problems.push(say`FEISHU_APP_SECRET is set without FEISHU_APP_ID: set both`)
  if (!secret) {
    reader.problems.push(
      say`FEISHU_APP_ID is set without FEISHU_APP_SECRET (or FEISHU_APP_SECRET_FILE): set both`,
    )
  }
  if (appId && !APP_ID.test(appId)) {
    reader.problems.push(say`FEISHU_APP_ID must be the App ID of your Feishu app, such as cli_a1b2c3d4e5f6`)
    return null
  }
  return appId && secret ? { appId, secret } : null
}

/** Below `exec` the App Secret has its other name alone. */
function sameApp(reader: SettingsReader, appId: string | null): Secret | null {
  const secret = reader.foreignText('APP_SECRET')
  return appId && secret && reader.foreignText('APP_ID') === appId ? new Secret(secret) : null
}

/** Other programs use these names too: only a pair that is surely Feishu's is taken. */
export function readFallbackApp(reader: SettingsReader): EnvironmentApp | null {
  const appId = reader.foreignText('APP_ID')
  const secret = reader.foreignText('APP_SECRET')
  if (!appId?.startsWith('cli_') || !APP_ID.test(appId) || !secret || secretProblem(secret)) return null
  return { appId, secret: new Secret(secret) }
}
