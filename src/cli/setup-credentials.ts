// App ID and App Secret, asked of a person until Feishu accepts them. What is right is not asked for again, and nothing
// that was typed is said back: a secret is easily typed where the App ID is due.

import { checkCredentials } from '../app/setup.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { findAppId, secretProblem } from '../oauth/app-credentials.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import { Secret } from '../secret.ts'
import { say } from '../sentence.ts'
import type { Invocation } from './io.ts'
import { isBrand } from './setup-steps.ts'
import { choose, type Dialogue } from './terminal.ts'

/** Asks until Feishu accepts the credentials, or has nothing to say about them. */
export async function askForApp({ deps, options }: Invocation, dialogue: Dialogue): Promise<NewApp> {
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
  let appId: string | null = null
  for (;;) {
    appId = await askAppId(dialogue, appId)
    const app = { brand, appId, appSecret: await askAppSecret(dialogue), endpoints } as const
    if (await isAccepted(deps, dialogue, app)) return app
  }
}

/** @param last what Feishu has not accepted together with a secret: either may be wrong */
async function askAppId(dialogue: Dialogue, last: string | null): Promise<string> {
  if (last !== null)
    dialogue.say(say`The App ID may be right: press Enter to keep it, or give another one.\n`)
  for (;;) {
    const typed = await dialogue.ask(say`${say`App ID (cli_…):`} `)
    const appId = typed === '' ? last : findAppId(typed)
    if (appId !== null) return appId
    dialogue.say(
      say`An App ID looks like cli_a1b2c3d4e5f6a7b8; the address of the app's page in the console will do too.\n`,
    )
  }
}

async function askAppSecret(dialogue: Dialogue): Promise<Secret> {
  for (;;) {
    const typed = await dialogue.askSecret(say`${say`App Secret (does not show):`} `)
    const problem = typed === '' ? say`nothing came` : secretProblem(typed)
    if (problem === null) return new Secret(typed)
    dialogue.say(say`That is no App Secret: ${problem}. Copy it from the page of the App ID.\n`)
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
