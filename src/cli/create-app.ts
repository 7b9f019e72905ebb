// `setup --create-app`: Feishu creates the app for a person who opens a link, then the person logs in with a second one.

import { awaitRegistration, beginRegistration, keepApp } from '../app/setup.ts'
import type { NewApp } from '../oauth/credentials.ts'
import type { Registration } from '../oauth/registration.ts'
import type { Invocation } from './io.ts'
import { login } from './login.ts'

/** Has Feishu create an app and keeps its credentials. Throws with the way through the console as the next step. */
export async function createApp({ cli, deps, profile }: Invocation): Promise<NewApp> {
  // A store that cannot be read would lose the new app's secret: better known before there is one.
  await deps.store.readApps()
  const registration = await beginRegistration(deps)
  await showLink(cli.stderr, registration)
  const app = await awaitRegistration(deps, registration)
  await keepApp(deps, profile, app)
  cli.stderr(
    `\nFeishu created the app ${app.appId}; it is kept for profile "${profile}", its secret sealed.\n`,
  )
  return app
}

async function showLink(
  say: (text: string) => void,
  { verificationUrl, userCode }: Registration,
): Promise<void> {
  const { renderUnicodeCompact } = await import('uqr')
  say(`${renderUnicodeCompact(verificationUrl)}\n\n`)
  say(`Open this page on any device, or scan the code with Feishu or Lark:\n\n${verificationUrl}\n\n`)
  say(`The page creates an app of your own (code ${userCode}). `)
  say("This is Feishu's own way, used by its SDK, but not part of its public documentation.\n")
  say('Waiting for the app …\n')
}

/** Logs in with a code: an app that was just created has no redirect URL yet. */
export function loginByCode(invocation: Invocation): Promise<number> {
  invocation.cli.stderr('\nNow log in with the new app.\n')
  const options = { ...invocation.options, device: true, 'no-browser': true }
  return login({ ...invocation, options })
}
