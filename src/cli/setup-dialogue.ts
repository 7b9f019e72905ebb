// `setup` on a terminal: from nothing to a working token, one question after the other.

import { resolveApp } from '../app/app.ts'
import { checkCredentials, keepApp } from '../app/setup.ts'
import type { Deps } from '../deps.ts'
import { CodedError, type ErrorCode } from '../errors.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import { Secret } from '../secret.ts'
import { say, series } from '../sentence.ts'
import { tokenStatus } from '../status/status.ts'
import { createApp, loginByCode } from './create-app.ts'
import { type Invocation, print } from './io.ts'
import { login } from './login.ts'
import { offerClients } from './setup-clients.ts'
import { consoleSteps, isAppId, isBrand, keptText, numbered, refuseEnvironmentApp } from './setup-steps.ts'
import { statusText } from './status.ts'
import { choose, confirm, type Dialogue } from './terminal.ts'

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
  if ((await chooseApp(invocation, dialogue)) === 'created') {
    const code = await loginByCode(invocation)
    // The login is done, and its answer is out: nothing that happens here makes a failure of it.
    await offerClients(invocation, dialogue).catch((error: Error) =>
      dialogue.say(say`\n${error instanceof CodedError ? error.said : error.message}\n`),
    )
    return code
  }
  await offerClients(invocation, dialogue)
  return offerLogin(invocation, dialogue)
}

async function chooseApp(invocation: Invocation, dialogue: Dialogue): Promise<'created' | 'given'> {
  if (await keepsPresentApp(invocation, dialogue)) return 'given'
  const ways = [
    say`An app of your own at Feishu is what people authorize. Two ways to it:`,
    say`  1  ${say`the developer console: you make the app there, or have one`}`,
    say`  2  ${say`Feishu makes it: you open two links (Feishu's own way, but not in its public documentation)`}`,
  ]
  dialogue.say(say`${series(ways, '\n')}\n`)
  if ((await choose(dialogue, say`Which way?`, ['1', '2'])) === '2') {
    try {
      await createApp(invocation)
      return 'created'
    } catch (error) {
      if (!(error instanceof CodedError) || !CONSOLE_INSTEAD.includes(error.code)) throw error
      dialogue.say(say`\n${error.said} ${error.step}\n\n`)
    }
  }
  const app = await askForApp(invocation, dialogue)
  await keepApp(invocation.deps, invocation.profile, app)
  dialogue.say(say`${keptText(invocation.profile)} ${say`The secret is sealed.`}\n\n`)
  await walkThroughConsole(invocation, dialogue, app)
  return 'given'
}

/** Whether the profile has an app already, and the person wants no other. */
async function keepsPresentApp({ deps, profile }: Invocation, dialogue: Dialogue): Promise<boolean> {
  const present = await resolveApp(deps, profile).catch((error: unknown) => {
    if (error instanceof CodedError && error.code === 'not_configured') return null
    throw error
  })
  if (!present) return false
  dialogue.say(say`The profile "${profile}" uses the app ${present.id.appId} (${present.id.brand}).\n`)
  return !(await confirm(dialogue, say`Set up another app in its place?`))
}

/** Asks until Feishu accepts the credentials, or has nothing to say about them. */
async function askForApp({ deps, options }: Invocation, dialogue: Dialogue): Promise<NewApp> {
  const { config } = deps
  const given = options.brand ?? ''
  const brand = isBrand(given)
    ? given
    : await choose(
        dialogue,
        say`Feishu (feishu.cn) or Lark (larksuite.com)?`,
        config.brand === 'lark' ? ['lark', 'feishu'] : ['feishu', 'lark'],
      )
  const endpoints = endpointsOf(brand, config)
  dialogue.say(
    say`Open ${endpoints.open}/app, create a custom app or choose yours: the page Credentials & Basic Info (凭证与基础信息) shows both values.\n`,
  )
  for (;;) {
    const appId = await dialogue.ask(say`${say`App ID (cli_…):`} `)
    if (!isAppId(appId)) {
      dialogue.say(say`An App ID looks like cli_a1b2c3d4e5f6a7b8.\n`)
      continue
    }
    const secret = await dialogue.askSecret(say`${say`App Secret (does not show):`} `)
    if (!secret) continue
    const app = { brand, appId, appSecret: new Secret(secret), endpoints } as const
    if (await isAccepted(deps, dialogue, app)) return app
  }
}

async function isAccepted(deps: Deps, dialogue: Dialogue, app: NewApp): Promise<boolean> {
  try {
    const verdict = await checkCredentials(deps, app)
    dialogue.say(
      verdict ? say`Feishu accepts them.\n` : say`Feishu gave no clear answer about them; they are kept.\n`,
    )
    return true
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'invalid_client') throw error
    dialogue.say(say`${error.said} ${error.step}\n`)
    return false
  }
}

async function walkThroughConsole(invocation: Invocation, dialogue: Dialogue, app: NewApp): Promise<void> {
  const steps = consoleSteps(invocation, app)
  dialogue.say(say`In the developer console:\n`)
  dialogue.say(say`${numbered(steps)}\n`)
  await dialogue.ask(say`${say`Press Enter when that is done.`} `)
}

async function offerLogin(invocation: Invocation, dialogue: Dialogue): Promise<number> {
  const { cli, deps, profile, options } = invocation
  dialogue.say(
    say`\nLog in now: in a browser on this machine, with a code on another device, or later (no).\n`,
  )
  const how = await choose(dialogue, say`browser, code or no?`, ['browser', 'code', 'no'])
  if (how === 'code') return loginByCode(invocation)
  if (how === 'browser') return login(invocation)
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  print(cli, options.json, status, statusText(status))
  return 0
}
