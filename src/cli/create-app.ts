// `setup --create-app`: Feishu creates the app for a person who opens a link, then the person logs in with a second one.

import { awaitRegistration, beginRegistration, keepApp } from '../app/setup.ts'
import type { NewApp } from '../oauth/credentials.ts'
import type { Registration } from '../oauth/registration.ts'
import { say } from '../sentence.ts'
import type { Cli, Invocation } from './io.ts'
import { loginTelling, showPicture } from './login.ts'

/** Has Feishu create an app and keeps its credentials. Throws with the way through the console as the next step. */
export async function createApp({ cli, deps, profile }: Invocation): Promise<NewApp> {
  // A store that cannot be read would lose the new app's secret: better known before there is one.
  await deps.store.readApps()
  const registration = await beginRegistration(deps, deps.config.scopes)
  await showLink(cli, registration)
  const app = await awaitRegistration(deps, registration)
  await keepApp(deps, profile, app)
  cli.stderr(
    say`\nFeishu created the app ${app.appId}; it is kept for profile "${profile}", its secret encrypted.\n`,
  )
  return app
}

async function showLink(cli: Cli, { verificationUrl, userCode }: Registration): Promise<void> {
  const write = cli.stderr
  const ask = (await showPicture(cli, verificationUrl))
    ? say`Open this page on any device, or scan the code with Feishu or Lark:`
    : say`Open this page on any device:`
  write(say`${ask}\n\n${verificationUrl}\n\n`)
  const whose = say`This is Feishu's own way, used by its SDK, but not part of its public documentation.`
  write(say`${say`The page creates an app of your own (code ${userCode}).`} ${whose}\n`)
  write(say`Waiting for the app …\n`)
}

/** Logs in with a code: an app that was just created has no redirect URL yet. */
export function loginToNewApp(invocation: Invocation, extra: object): Promise<number> {
  invocation.cli.stderr(say`\nNow log in with the new app.\n`)
  return loginByCode(invocation, extra)
}

/** Logs in with a code on another device. */
export function loginByCode(invocation: Invocation, extra: object): Promise<number> {
  const options = { ...invocation.options, device: true, 'no-browser': true }
  return loginTelling({ ...invocation, options }, extra)
}
