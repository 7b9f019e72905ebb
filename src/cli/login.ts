import { startAnswer } from '../answers.ts'
import { type StartOptions, startAuthorization } from '../authorize.ts'
import { splitScopes } from '../config.ts'
import type { Deps } from '../deps.ts'
import { AuthError } from '../errors.ts'
import { Secret } from '../secret.ts'
import { authorizationEnd, tokenStatus } from '../status.ts'
import { type Command, type Invocation, print, readLine } from './io.ts'
import { expectOperands } from './run.ts'
import { statusText } from './status.ts'

/** Authorizes and waits for the end. */
export const login: Command = async (invocation) => {
  const { cli, deps, profile, options, operands } = invocation
  expectOperands(cli, operands, [])
  const remote = options['callback-url-stdin'] ?? false
  const start: StartOptions = {
    profile,
    scopes: options.scope === undefined ? null : splitScopes(options.scope),
    method: options.device ? 'device' : 'browser',
    openBrowser: remote || options['no-browser'] ? false : null,
    callbackUrl: null,
    cancel: false,
  }
  const answer = startAnswer(deps, await startAuthorization(deps, start))
  cli.stderr(`Open this page and approve:\n\n${answer.authorization_url}\n\n`)
  if (remote) await endWithPastedAddress(invocation, start)
  else await waitForEnd(invocation, start)
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  print(cli, options.json, status, statusText(status))
  return 0
}

async function endWithPastedAddress({ cli, deps }: Invocation, start: StartOptions): Promise<void> {
  cli.stderr('Paste the address that the browser ended on:\n')
  const address = await readLine(cli.stdin)
  if (!address) {
    throw new AuthError('config_invalid', 'No address came on stdin.', {
      nextStep: 'Give the address that the browser ended on, on one line.',
    })
  }
  await startAuthorization(deps, { ...start, callbackUrl: new Secret(address) })
}

async function waitForEnd({ cli, deps, profile }: Invocation, start: StartOptions): Promise<void> {
  cli.onSignal(['SIGINT', 'SIGTERM', 'SIGHUP'], () => void interrupt(deps, start))
  cli.stderr('Waiting for the approval …\n')
  const end = await authorizationEnd(deps, profile)
  if (end.status === 'succeeded') return
  if (end.status === 'expired') {
    throw new AuthError('authorization_expired', 'Nobody approved in time.', {
      nextStep: end.error ?? 'Log in again.',
    })
  }
  if (end.status === 'cancelled') {
    throw new AuthError('authorization_expired', 'The authorization was cancelled.', {
      nextStep: `Run \`${cli.command} login\` again.`,
    })
  }
  throw new AuthError(end.code ?? 'access_denied', end.error ?? 'The authorization ended without a token.', {
    nextStep: `Run \`${cli.command} login\` again.`,
  })
}

async function interrupt(deps: Deps, start: StartOptions): Promise<void> {
  await startAuthorization(deps, { ...start, cancel: true }).catch(() => undefined)
}
