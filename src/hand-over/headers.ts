// The token as the header of the hosted MCP server.

import { TOKEN_HEADER } from '../delivery/mcp-entry.ts'
import type { Deps } from '../deps.ts'
import { CodedError } from '../errors.ts'
import { hostedMcpUrl } from '../oauth/feishu.ts'
import { say } from '../sentence.ts'
import { readMcpUrl, takesToken } from './hosted.ts'
import { pullRecord, revealAccessToken } from './pull.ts'

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
  const { brand, mcpUrl } = deps.config
  const url = readMcpUrl(address ?? hostedMcpUrl(brand, mcpUrl))
  if (!takesToken(url, mcpUrl)) {
    throw new CodedError('config_invalid', say`${url.host} gets no token: it is not one of Feishu's hosts.`, {
      nextStep: say`If it is your own MCP server, name it in FEISHU_MCP_URL.`,
    })
  }

  const { record, problem } = await pullRecord(deps, profile)
  return { headers: { [TOKEN_HEADER]: revealAccessToken(record) }, problem }
}
