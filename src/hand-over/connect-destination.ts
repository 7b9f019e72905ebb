// Where `connect` leads to, and whether the token may go there: to Feishu's hosts and to what the settings name, and to
// any other host only in a header that the person has written.

import type { Handlers } from '../bridge/link.ts'
import type { Hello, Peer } from '../bridge/peer.ts'
import { TOKEN_HEADER } from '../delivery/mcp-entry.ts'
import { CodedError } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import { takesToken } from './hosted.ts'

/** Another MCP server over HTTP. */
export type Remote = {
  url: URL
  /** It is Feishu's hosted server, or stands in its place: it takes the token in a header of its own. */
  hosted: boolean
  /** Names with values, in which `{token}` is the access token. */
  headers: [name: string, template: string][]
  /** The person named no address: it is the brand's server. */
  byBrand?: boolean
  /** Whether any header bears the token. */
  needsToken: boolean
}

/** What is on the other side. */
export type Destination = {
  /** Names it, for what is kept of it. */
  key: readonly unknown[]
  /** How people know it: a host, or a program. */
  name: string
  /** Null: a program, which gets its token from the gateway. */
  remote: Remote | null
  /** Opens nothing yet: the first request does. */
  createPeer: (sides: Sides) => Peer
}

/** Whom the other server has to do with. */
export type Sides = {
  hello: () => Hello
  handlers: Handlers
  streamHeaders: () => Promise<Record<string, string>>
}

/** RFC 9110 §5.6.2 and §5.5. */
const HEADER = /^([A-Za-z0-9!#$%&'*+.^_`|~-]+)=([\t\x20-\x7e\x80-\xff]*)$/
const OWN_HEADERS =
  /^(?:host|connection|keep-alive|upgrade|expect|te|content-.*|transfer-encoding|accept|accept-encoding|mcp-session-id|mcp-protocol-version|last-event-id)$/i
const IN_BRACES = /\{ *([A-Za-z_]+) *\}/g

/** Whether `connect` sets a header itself: it belongs to the connection, or to the protocol. */
export function isOwnHeader(name: string): boolean {
  return OWN_HEADERS.test(name)
}

function usageRefusal(command: string, message: Sentence): CodedError {
  return new CodedError('config_invalid', message, { nextStep: say`See \`${`${command} connect`} --help\`.` })
}

/** Reads an address and `--header NAME=VALUE`. Throws `config_invalid`. */
export function readRemote(
  command: string,
  url: URL,
  { headers, mcpUrl }: { headers: readonly string[]; mcpUrl: string | null },
): Remote {
  const named = headers.map((text): [string, string] => {
    const [, name = '', template = ''] = HEADER.exec(text) ?? []
    if (name === '' || isOwnHeader(name)) {
      throw usageRefusal(
        command,
        say`--header takes NAME=VALUE in characters that a header may hold, and no header of the connection itself.`,
      )
    }
    for (const [shown, inBraces] of template.matchAll(IN_BRACES)) {
      if (shown === '{token}') continue
      throw usageRefusal(
        command,
        say`--header ${name} holds {${inBraces ?? ''}}, which means nothing here; use {token}.`,
      )
    }
    return [name, template]
  })
  const hosted = takesToken(url, mcpUrl)
  const all: [string, string][] = [
    ...(hosted ? [[TOKEN_HEADER, '{token}'] as [string, string]] : []),
    ...named,
  ]
  return { url, hosted, headers: all, needsToken: all.some(([, template]) => template.includes('{token}')) }
}

/** The headers of one request. */
export function headersOf(remote: Remote, accessToken: string | null): Record<string, string> {
  return Object.fromEntries(
    remote.headers.map(([name, template]) => [name, template.replaceAll('{token}', accessToken ?? '')]),
  )
}
