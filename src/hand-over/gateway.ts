// The gateways of a profile: each request that they let in gets the token of that moment.

import type { AddressInfo } from 'node:net'
import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, errnoOf } from '../errors.ts'
import { type Gateway, startGateway } from '../gateway/gateway.ts'
import { endpointsOf, hostedMcpUrl } from '../oauth/feishu.ts'
import { HOSTED_TOOLS } from '../oauth/hosted-mcp.ts'
import { profileOption } from '../profile.ts'
import { say } from '../sentence.ts'
import { createTokenSource } from './token-source.ts'

/** The store is looked at again after this: another process may have refreshed. */
const FRESH_MS = 1_000

/** Less than the 30 s after which a process that was told to end does so, whatever is under way. */
const FINISH_MS = 25_000

/** Starts the gateway that gives each request of a child the token of that moment. */
export async function openGateway(deps: Deps, profile: string): Promise<Gateway> {
  const app = await resolveApp(deps, profile)
  return startGateway({
    ...createTokenSource(deps, profile, FRESH_MS),
    openUrl: app.endpoints.open,
    dispatcher: (origin) => deps.upstream(origin),
    log: deps.log,
  })
}

export type StandingGateway = {
  address: AddressInfo
  /** Takes nothing new and finishes what is under way. */
  close: () => Promise<void>
}

/**
 * Starts the standing gateway of a profile; without an app or a login it answers 401 until there is one.
 *
 * @throws CodedError `config_invalid` where it cannot listen
 */
export async function openStandingGateway(
  deps: Deps,
  options: { profile: string; listen: { host: string; port: number }; anyHost: boolean },
): Promise<StandingGateway> {
  const { profile, listen } = options
  // Not with what `exec` loads.
  const [{ startStandingGateway }, { watchGatewayKeys }] = await Promise.all([
    import('../gateway/standing.ts'),
    import('./gateway-keys.ts'),
  ])
  try {
    const { address, close } = await startStandingGateway({
      ...options,
      ...createTokenSource(deps, profile, FRESH_MS),
      destinations: () => destinationsOf(deps, profile),
      tools: HOSTED_TOOLS,
      command: deps.command,
      option: profileOption(profile),
      acceptsKey: watchGatewayKeys(deps, profile),
      dispatcher: (origin) => deps.upstream(origin),
      log: deps.log,
    })
    return { address, close: () => close(FINISH_MS) }
  } catch (error) {
    const { host, port } = listen
    throw new CodedError(
      'config_invalid',
      say`Nothing can listen on ${host} port ${port} (${errnoOf(error) ?? say`unknown error`}).`,
      {
        nextStep: say`Name another address with --listen HOST:PORT, or end what listens there.`,
        cause: error,
      },
    )
  }
}

async function destinationsOf(deps: Deps, profile: string): Promise<{ openUrl: string; mcpUrl: string }> {
  const { brand } = (await resolveApp(deps, profile)).id
  return {
    openUrl: endpointsOf(brand, deps.config).open,
    mcpUrl: hostedMcpUrl(brand, deps.config.mcpUrl),
  }
}
