import { DEFAULT_PROFILE } from '../config.ts'
import { AuthError } from '../errors.ts'
import { endpointsOf, redirectSettingsUrl, scopeSettingsUrl } from '../oauth/feishu.ts'
import { Secret } from '../secret.ts'
import { checkCredentials, keepApp } from '../setup.ts'
import { tokenStatus } from '../status.ts'
import { type Command, print, readLine } from './io.ts'
import { expectOperands } from './run.ts'

/** Asks Feishu whether the app's credentials are right, and keeps them. */
export const setup: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const { config } = deps
  const brand = options.brand ?? config.brand
  if (brand !== 'feishu' && brand !== 'lark') throw usage(cli.command, '--brand must be feishu or lark')
  const appId = options['app-id']
  if (!appId || !/^[A-Za-z0-9_-]{1,64}$/.test(appId))
    throw usage(cli.command, '--app-id must be an App ID such as cli_a1b2c3')
  if (!options['app-secret-stdin'])
    throw usage(cli.command, 'The App Secret is read from stdin: add --app-secret-stdin')
  const secret = await readLine(cli.stdin)
  if (!secret) throw usage(cli.command, 'No App Secret came on stdin')
  const endpoints = endpointsOf(brand, config)
  const app = { brand, appId, appSecret: new Secret(secret), endpoints } as const
  const verdict = await checkCredentials(deps, app)
  await keepApp(deps, profile, app)
  if (!verdict) cli.stderr('Feishu gave no clear answer about these credentials; they were kept.\n')
  cli.stderr(
    [
      `Kept for profile "${profile}"${profile === DEFAULT_PROFILE ? ' (and for profiles without an app of their own)' : ''}.`,
      `1. Register the redirect URL ${config.redirectUri}`,
      `   and switch on "refresh user_access_token": ${redirectSettingsUrl(endpoints.open, appId)}`,
      `2. Enable the scopes for user identity: ${scopeSettingsUrl(endpoints.open, appId, config.scopes)}`,
      `3. Create and publish a version: ${endpoints.open}/app/${appId}`,
      `4. Log in: ${cli.command} login`,
      '',
      "The entry for your MCP client's config:",
      '',
    ].join('\n'),
  )
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  const entry = { mcpServers: { 'feishu-token': clientEntry(cli.command) } }
  print(cli, options.json, status, `${JSON.stringify(entry, null, 2)}\n`)
  return 0
}

/** The command as this process was started, as a client's config writes it. */
function clientEntry(command: string): { command: string; args: string[] } {
  const [program, ...args] = (command.match(/"[^"]*"|\S+/g) ?? []).map((part) => part.replaceAll('"', ''))
  return { command: program ?? command, args }
}

function usage(command: string, message: string): AuthError {
  return new AuthError('config_invalid', `${message}.`, { nextStep: `See \`${command} --help\`.` })
}
