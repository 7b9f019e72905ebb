// `setup` from options, for scripts.

import { checkCredentials, keepApp } from '../app/setup.ts'
import type { CodedError } from '../errors.ts'
import { findAppId, secretProblem } from '../oauth/app-credentials.ts'
import type { NewApp } from '../oauth/credentials.ts'
import { endpointsOf } from '../oauth/feishu.ts'
import { Secret } from '../secret.ts'
import { say, series } from '../sentence.ts'
import { tokenStatus } from '../status/status.ts'
import { createApp, loginToNewApp } from './create-app.ts'
import { type Cli, type Command, type Invocation, print, readLine } from './io.ts'
import { asConfig, lackingText, loginLine, newEntry, withScopes } from './setup-entry.ts'
import {
  consoleSteps,
  isBrand,
  keptText,
  numbered,
  refuseEnvironmentApp,
  setupFields,
} from './setup-steps.ts'
import { keepTools } from './setup-tools.ts'
import { expectOperands, usageError } from './usage.ts'

/** Has an app's credentials given, created or asked for, and keeps them. */
export const setup: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  expectOperands(cli, operands, [])
  if (options.adopt) return (await import('./setup-adopt.ts')).adoptAlone(invocation)
  if (options.yes) throw usageError(cli, say`--yes is for --adopt`)
  const given = options['app-id'] !== undefined || options['app-secret-stdin'] || options.brand !== undefined
  const asks = cli.stdin.isTTY && options['app-id'] === undefined && !options['app-secret-stdin']
  if (asks && !options['create-app']) {
    if (options.brand !== undefined && !isBrand(options.brand)) throw badBrand(cli)
    const { runDialogue } = await import('./setup-dialogue.ts')
    const { createDialogue } = await import('./terminal.ts')
    return runDialogue(invocation, createDialogue(cli))
  }
  const withTools = options['with-tools'] ?? false
  const scoped = withScopes(invocation, withTools)
  if (!options['create-app']) return keepGiven(scoped, withTools)
  if (given) throw usageError(cli, say`--create-app takes no --app-id, --app-secret-stdin or --brand`)
  refuseEnvironmentApp(invocation)
  const app = await createApp(scoped)
  const code = await loginToNewApp(scoped, setupFields(scoped, app, newEntry(invocation, withTools)))
  if (withTools) await keepTools(scoped)
  return code
}

/** Keeps the credentials that the command line gives. */
async function keepGiven(invocation: Invocation, withTools: boolean): Promise<number> {
  const { cli, deps, profile, options } = invocation
  const app = await readGiven(invocation)
  const verdict = await checkCredentials(deps, app)
  await keepApp(deps, profile, app)
  if (!verdict) cli.stderr(say`Feishu gave no clear answer about these credentials; they were kept.\n`)
  const steps = consoleSteps(invocation, app)
  const lines = [
    keptText(profile),
    numbered([...steps, say`Log in: \`${loginLine(invocation, withTools)}\``]),
  ]
  const entry = newEntry(invocation, withTools)
  const lacking = lackingText(entry)
  if (lacking) lines.push(lacking)
  const entryFollows = options.json ? [''] : ['', say`The entry for your MCP client's config:`, '']
  cli.stderr(series([...lines, ...entryFollows], '\n'))
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  if (options.json) print(cli, true, { ...status, ...setupFields(invocation, app, entry) }, say``)
  else cli.stdout(`${JSON.stringify(asConfig(entry), null, 2)}\n`)
  return 0
}

async function readGiven({ cli, deps, options }: Invocation): Promise<NewApp> {
  const { config } = deps
  const brand = options.brand ?? config.brand
  if (!isBrand(brand)) throw badBrand(cli)
  const given = options['app-id']
  if (given === undefined) {
    throw usageError(cli, say`setup asks on a terminal; without one, give --app-id ID --app-secret-stdin`)
  }
  const appId = findAppId(given)
  if (appId === null) throw usageError(cli, say`--app-id must be an App ID such as cli_a1b2c3`)
  if (!options['app-secret-stdin']) {
    throw usageError(cli, say`The App Secret is read from stdin: add --app-secret-stdin`)
  }
  const secret = await readLine(cli.stdin)
  if (!secret) throw usageError(cli, say`No App Secret came on stdin`)
  const problem = secretProblem(secret)
  if (problem) throw usageError(cli, say`What came on stdin is no App Secret: ${problem}`)
  return { brand, appId, appSecret: new Secret(secret), endpoints: endpointsOf(brand, config) }
}

function badBrand(cli: Cli): CodedError {
  return usageError(cli, say`--brand must be feishu or lark`)
}
