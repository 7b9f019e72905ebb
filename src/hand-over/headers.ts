// The token as the header of the hosted MCP server, and which hosts may see it there.

import type { Config } from '../config/config.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { isLoopbackUrl } from '../machine/address.ts'
import { hostedMcpUrl } from '../oauth/feishu.ts'
import { say } from '../sentence.ts'
import { pullRecord, revealAccessToken } from './pull.ts'

/** Feishu's and Lark's own hosts. */
const FEISHU_HOST = /(?:^|\.)(?:feishu\.cn|larksuite\.com)$/

/** Whether the token may go to an address unasked: Feishu's hosts, loopback, and what the settings name. */
export function takesToken(url: URL, { mcpUrl }: Pick<Config, 'mcpUrl'>): boolean {
  if (isLoopbackUrl(url)) return true
  if (url.protocol !== 'https:') return false
  return FEISHU_HOST.test(url.hostname) || (mcpUrl !== null && new URL(mcpUrl).origin === url.origin)
}

/**
 * An address of an MCP server as a person gives it; without one the hosted server.
 *
 * @throws CodedError `config_invalid` for one that is neither https nor http on loopback
 */
export function readMcpUrl(text: string | undefined, brand: 'feishu' | 'lark', config: Config): URL {
  const given = text ?? hostedMcpUrl(brand, config.mcpUrl)
  const url = URL.canParse(given) ? new URL(given) : null
  const safe = url && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackUrl(url)))
  if (url && safe && !url.username && !url.password) return url
  throw new CodedError(
    'config_invalid',
    say`The address must be https (http on this machine alone), without a user name.`,
    { nextStep: say`Give such an address, or none for Feishu's hosted MCP server.` },
  )
}

/**
 * The headers with which a server takes the token, refreshed first if it is due.
 *
 * @throws CodedError `config_invalid` for a host that gets no token
 */
export async function tokenHeaders(
  deps: Deps,
  profile: string,
  address: string | undefined,
): Promise<{ headers: Record<string, string>; problem: CodedError | null }> {
  // The address first: a host that gets no token costs no refresh.
  const url = readMcpUrl(address, deps.config.brand, deps.config)
  if (!takesToken(url, deps.config)) {
    throw new CodedError('config_invalid', say`${url.host} gets no token: it is no host of Feishu's.`, {
      nextStep: say`If it is your own MCP server, name it in FEISHU_MCP_URL.`,
    })
  }

  const { record, problem } = await pullRecord(deps, profile)
  return { headers: { 'X-Lark-MCP-UAT': revealAccessToken(record) }, problem }
}
