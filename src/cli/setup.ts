import type { Brand } from '../config.ts'
import { DEFAULT_PROFILE } from '../config.ts'
import { AuthError } from '../errors.ts'
import { endpointsOf, redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import { Secret } from '../secret.ts'
import { checkCredentials, keepApp, type NewApp } from '../setup.ts'
import { tokenStatus } from '../status.ts'
import { createApp, loginByCode } from './create-app.ts'
import { type Cli, type Command, type Invocation, print, readLine } from './io.ts'
import { expectOperands, usageError } from './run.ts'

const APP_ID = /^[A-Za-z0-9_-]{1,64}$/

/** Has an app's credentials given, created or asked for, and keeps them. */
export const setup: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  expectOperands(cli, operands, [])
  const given = options['app-id'] !== undefined || options['app-secret-stdin'] || options.brand !== undefined
  const asks = cli.stdin.isTTY && options['app-id'] === undefined && !options['app-secret-stdin']
  if (asks && !options['create-app']) {
    if (options.brand !== undefined && !isBrand(options.brand)) throw badBrand(cli)
    const { runDialogue } = await import('./setup-dialogue.ts')
    const { createDialogue } = await import('./terminal.ts')
    return runDialogue(invocation, createDialogue(cli.stdin, cli.stderr))
  }
  if (!options['create-app']) return keepGiven(invocation)
  if (given) throw usageError(cli.command, '--create-app takes no --app-id, --app-secret-stdin or --brand')
  refuseEnvironmentApp(invocation)
  await createApp(invocation)
  return loginByCode(invocation)
}

/** What is kept would not be used: the environment wins. */
export function refuseEnvironmentApp({ cli, deps, profile }: Invocation): void {
  if (!deps.config.app || profile !== deps.config.profile) return
  throw new AuthError('config_invalid', 'FEISHU_APP_ID is set, and it wins over what setup keeps.', {
    nextStep: `Unset FEISHU_APP_ID and FEISHU_APP_SECRET, then run \`${cli.command} setup\` again.`,
  })
}

/** Keeps the credentials that the command line gives. */
async function keepGiven(invocation: Invocation): Promise<number> {
  const { cli, deps, profile, options } = invocation
  const app = await readGiven(invocation)
  const verdict = await checkCredentials(deps, app)
  await keepApp(deps, profile, app)
  if (!verdict) cli.stderr('Feishu gave no clear answer about these credentials; they were kept.\n')
  const steps = consoleSteps(invocation, app)
  cli.stderr(
    [
      keptText(profile),
      ...[...steps, `Log in: ${cli.command} login`].map((step, index) => `${index + 1}. ${step}`),
      ...(options.json ? [''] : ['', "The entry for your MCP client's config:", '']),
    ].join('\n'),
  )
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  const entry = { mcpServers: { 'feishu-token': clientEntry(cli.command) } }
  if (options.json) print(cli, true, status, '')
  else cli.stdout(`${JSON.stringify(entry, null, 2)}\n`)
  return 0
}

async function readGiven({ cli, deps, options }: Invocation): Promise<NewApp> {
  const { config } = deps
  const brand = options.brand ?? config.brand
  if (!isBrand(brand)) throw badBrand(cli)
  const appId = options['app-id']
  if (appId === undefined) {
    throw usageError(
      cli.command,
      'setup asks on a terminal; without one, give --app-id ID --app-secret-stdin',
    )
  }
  if (!isAppId(appId)) {
    throw usageError(cli.command, '--app-id must be an App ID such as cli_a1b2c3')
  }
  if (!options['app-secret-stdin']) {
    throw usageError(cli.command, 'The App Secret is read from stdin: add --app-secret-stdin')
  }
  const secret = await readLine(cli.stdin)
  if (!secret) throw usageError(cli.command, 'No App Secret came on stdin')
  return { brand, appId, appSecret: new Secret(secret), endpoints: endpointsOf(brand, config) }
}

function badBrand(cli: Cli): AuthError {
  return usageError(cli.command, '--brand must be feishu or lark')
}

/** Whether a text names a brand. */
export function isBrand(text: string): text is Brand {
  return text === 'feishu' || text === 'lark'
}

/** Whether a text can be an app id, which is part of file names. */
export function isAppId(text: string): boolean {
  return APP_ID.test(text)
}

/** Says for which profile an app was kept. */
export function keptText(profile: string): string {
  const others = profile === DEFAULT_PROFILE ? ' (and for profiles without an app of their own)' : ''
  return `Kept for profile "${profile}"${others}.`
}

/** What a person does in the developer console, with the page for each step. */
export function consoleSteps({ deps }: Invocation, { appId, endpoints }: NewApp): string[] {
  const { redirectUri, scopes } = deps.config
  return [
    `Register the redirect URL (重定向 URL) ${redirectUri}\n` +
      `   and switch on Refresh user_access_token (刷新 user_access_token): ${redirectSettingsUrl(endpoints.open, appId)}`,
    `Enable the scopes (权限管理) for user identity: ${scopeSettingsUrl(endpoints.open, appId, scopes)}`,
    `Create and publish a version (版本管理与发布): ${endpoints.open}/app/${appId}`,
  ]
}

/** The command as this process was started, as a client's config writes it. */
export function clientEntry(command: string): { command: string; args: string[] } {
  const [program, ...args] = (command.match(/"[^"]*"|\S+/g) ?? []).map((part) => part.replaceAll('"', ''))
  return { command: program ?? command, args }
}
