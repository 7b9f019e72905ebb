// `setup` on a terminal: from nothing to a working token, one question after the other.

import { type App, resolveApp } from '../app/app.ts'
import { keepApp } from '../app/setup.ts'
import { CodedError, type ErrorCode } from '../errors.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { say, series } from '../sentence.ts'
import { tokenStatus } from '../status/status.ts'
import { createApp, loginByCode, loginToNewApp } from './create-app.ts'
import { type Invocation, print } from './io.ts'
import { loginTelling } from './login.ts'
import { offerClients } from './setup-clients.ts'
import { askForApp } from './setup-credentials.ts'
import { newEntry, withScopes } from './setup-entry.ts'
import { consoleSteps, keptText, numbered, refuseEnvironmentApp, setupFields } from './setup-steps.ts'
import { keepTools } from './setup-tools.ts'
import { statusText } from './status.ts'
import { choose, confirm, confirmUsual, type Dialogue } from './terminal.ts'

/** Ends of the creation of an app after which the console is the way. */
const CONSOLE_INSTEAD: readonly ErrorCode[] = [
  'access_denied',
  'authorization_expired',
  'unauthorized_client',
  'unexpected_response',
]

/** Sets up an app, the clients and the login with a person at the terminal. */
export async function runDialogue(invocation: Invocation, dialogue: Dialogue): Promise<number> {
  refuseEnvironmentApp(invocation)
  const withTools =
    invocation.options['with-tools'] ??
    (await confirmUsual(
      dialogue,
      say`Should your assistant get Feishu's tools too (documents, messages, …), not the login alone?`,
    ))
  const scoped = withScopes(invocation, withTools)
  const entry = newEntry(invocation, withTools)
  const { app, isNew } = await chooseApp(scoped, dialogue)
  const fields = setupFields(scoped, app, entry)
  if (isNew) {
    const code = await loginToNewApp(scoped, fields)
    // The login is done, and its answer is out: nothing that happens here makes a failure of it.
    if (withTools) await keepTools(scoped)
    await offerClients(invocation, dialogue, entry).catch((error: Error) =>
      dialogue.say(say`\n${error instanceof CodedError ? error.said : error.message}\n`),
    )
    return code
  }
  await offerClients(invocation, dialogue, entry)
  const code = await offerLogin(scoped, dialogue, fields)
  if (withTools) await keepTools(scoped)
  return code
}

type Chosen = {
  app: Pick<NewApp, 'appId' | 'endpoints'>
  /** Feishu has just created it: it has no redirect URL yet. */
  isNew: boolean
}

async function chooseApp(invocation: Invocation, dialogue: Dialogue): Promise<Chosen> {
  const present = await presentApp(invocation, dialogue)
  if (present) return { app: { appId: present.id.appId, endpoints: present.endpoints }, isNew: false }
  const ways = [
    say`An app of your own at Feishu is what people authorize. Two ways to it:`,
    say`  1  ${say`the developer console: you make the app there, or have one`}`,
    say`  2  ${say`Feishu makes it: you open two links (Feishu's own way, but not in its public documentation)`}`,
  ]
  dialogue.say(say`${series(ways, '\n')}\n`)
  if ((await choose(dialogue, say`Which way?`, ['1', '2'])) === '2') {
    try {
      return { app: await createApp(invocation), isNew: true }
    } catch (error) {
      if (!(error instanceof CodedError) || !CONSOLE_INSTEAD.includes(error.code)) throw error
      dialogue.say(say`\n${error.said} ${error.step}\n\n`)
    }
  }
  const app = await askForApp(invocation, dialogue)
  await keepApp(invocation.deps, invocation.profile, app)
  dialogue.say(say`${keptText(invocation.profile)} ${say`The secret is encrypted.`}\n\n`)
  await walkThroughConsole(invocation, dialogue, app)
  return { app, isNew: false }
}

/** The app that the profile has already, if the person wants no other. */
async function presentApp({ deps, profile }: Invocation, dialogue: Dialogue): Promise<App | null> {
  const present = await resolveApp(deps, profile).catch((error: unknown) => {
    if (error instanceof CodedError && error.code === 'not_configured') return null
    throw error
  })
  if (!present) return null
  dialogue.say(say`The profile "${profile}" uses the app ${present.id.appId} (${present.id.brand}).\n`)
  return (await confirm(dialogue, say`Set up another app in its place?`)) ? null : present
}

async function walkThroughConsole(invocation: Invocation, dialogue: Dialogue, app: NewApp): Promise<void> {
  const steps = consoleSteps(invocation, app)
  dialogue.say(say`In the developer console:\n`)
  dialogue.say(say`${numbered(steps)}\n`)
  await dialogue.ask(say`${say`Press Enter when that is done.`} `)
}

async function offerLogin(invocation: Invocation, dialogue: Dialogue, fields: object): Promise<number> {
  const { cli, deps, profile, options } = invocation
  dialogue.say(
    say`\nLog in now: in a browser on this machine, with a code on another device, or later (no).\n`,
  )
  const how = await choose(dialogue, say`browser, code or no?`, ['browser', 'code', 'no'])
  if (how === 'code') return loginByCode(invocation, fields)
  if (how === 'browser') return loginTelling(invocation, fields)
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  print(cli, options.json, { ...status, ...fields }, statusText(status))
  return 0
}
