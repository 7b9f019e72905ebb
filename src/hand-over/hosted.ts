// An MCP server's address as a person names it, and which hosts may see the token.

import { CodedError } from '../errors.ts'
import { isLoopbackUrl } from '../machine/address.ts'
import { say } from '../sentence.ts'

/** Feishu's and Lark's own hosts. */
const FEISHU_HOST = /\.(?:feishu\.cn|larksuite\.com)$/

/**
 * Reads an address.
 *
 * @throws CodedError `config_invalid` for one that is neither https nor http on loopback, or holds a user name or fragment
 */
export function readMcpUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null
  const safe = url && (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopbackUrl(url)))
  if (url && safe && !url.username && !url.password && !url.hash) return url
  // The address is not shown: it may hold anything.
  throw new CodedError(
    'config_invalid',
    say`The address must be https (http on this machine alone), without a user name or fragment.`,
    { nextStep: say`Give such an address, or none for Feishu's hosted MCP server.` },
  )
}

/** Whether the token goes to a host without being asked for by a header: Feishu's, loopback, and that of FEISHU_MCP_URL. */
export function takesToken(url: URL, mcpUrl: string | null): boolean {
  if (isLoopbackUrl(url) || (mcpUrl !== null && new URL(mcpUrl).origin === url.origin)) return true
  return url.protocol === 'https:' && FEISHU_HOST.test(url.hostname)
}
