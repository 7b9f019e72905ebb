// What `token_status` answers, as a resource: clients that show resources tell of a change without a tool call.

import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  ErrorCode,
  ListResourcesRequestSchema,
  ListResourceTemplatesRequestSchema,
  McpError,
  ReadResourceRequestSchema,
  SubscribeRequestSchema,
  UnsubscribeRequestSchema,
} from '@modelcontextprotocol/sdk/types.js'
import { errorAnswer } from '../answers.ts'
import { toCodedError } from '../errors.ts'
import type { TokenStatus } from '../status/fields.ts'
import type { ToolContext } from './tool.ts'

const RESOURCE = {
  uri: 'feishu-token://status',
  name: 'status',
  title: 'Feishu token status',
  description: 'What token_status answers, as JSON.',
  mimeType: 'application/json',
}
/** How soon a subscriber learns of a change, whichever process made it. */
const CHANGE_POLL_MS = 1_000

async function readStatus({ getDeps }: ToolContext): Promise<TokenStatus> {
  const { tokenStatus } = await import('../status/status.ts')
  const deps = await getDeps()
  const profile = deps.config.profile
  return tokenStatus(deps, { profile, verify: false, waitSeconds: 0, feishuError: null })
}

/** Serves the resource (docs/design.md). */
export function registerStatusResource(server: Server, context: ToolContext): void {
  const { uri, mimeType } = RESOURCE
  server.setRequestHandler(ListResourcesRequestSchema, () => ({ resources: [RESOURCE] }))
  server.setRequestHandler(ListResourceTemplatesRequestSchema, () => ({ resourceTemplates: [] }))
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params }) => {
    if (params.uri !== uri)
      throw new McpError(ErrorCode.InvalidParams, 'There is no resource of this address.')
    const json = await readStatus(context).catch((error) => errorAnswer(toCodedError(error)))
    return { contents: [{ uri, mimeType, text: JSON.stringify(json, null, 2) }] }
  })
  tellOfChanges(server, context)
}

function tellOfChanges(server: Server, context: ToolContext): void {
  let watch: NodeJS.Timeout | null = null
  let told: string | null = null
  const look = async () => {
    const status = await readStatus(context).catch(() => null)
    const now = JSON.stringify([status?.status, status?.generation, status?.authorization_status])
    if (told !== null && told !== now) await server.sendResourceUpdated({ uri: RESOURCE.uri })
    told = now
  }
  const unwatch = () => {
    if (watch) clearInterval(watch)
    watch = null
    told = null
  }
  server.setRequestHandler(SubscribeRequestSchema, async ({ params }) => {
    if (params.uri !== RESOURCE.uri) return {}
    await look()
    watch ??= setInterval(() => void look().catch(unwatch), CHANGE_POLL_MS).unref()
    return {}
  })
  server.setRequestHandler(UnsubscribeRequestSchema, async ({ params }) => {
    if (params.uri === RESOURCE.uri) unwatch()
    return {}
  })
}
