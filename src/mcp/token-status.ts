import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import * as z from 'zod'
import { deliveries, nextStep, profileInput, profileOutput, seconds, time } from './fields.ts'
import { type ToolContext, toResult } from './tool-result.ts'

const input = z.strictObject({
  verify: z.boolean().optional().describe('true: also ask Feishu whether the token works (one request).'),
  wait_seconds: z
    .number()
    .int()
    .min(0)
    .max(45)
    .optional()
    .describe('Wait up to this long for a pending authorization to end; returns as soon as it does.'),
  profile: profileInput,
})

const status = z.enum([
  'valid',
  'needs_refresh',
  'expired',
  'not_authorized',
  'not_configured',
  'store_unreadable',
])

const output = z.strictObject({
  status: status.describe(
    'valid: use it. needs_refresh: call refresh_token. expired, not_authorized: call start_authorization.',
  ),
  profile: profileOutput,
  brand: z.string().describe('feishu or lark.'),
  app_id: z.string().nullable().describe('The App ID of the Feishu app; null: none is configured.'),
  user_name: z.string().nullable().describe('Who is logged in, as Feishu says; untrusted text.'),
  user_open_id: z.string().nullable().describe("That person's open_id in this app."),
  access_token_expires_at: time('When the access token expires.'),
  access_token_expires_in: seconds('How long the access token still lives.'),
  refresh_token_expires_at: time('When the refresh token expires; each refresh moves it.'),
  refresh_token_expires_in: seconds('How long the refresh token still lives.'),
  reauthorize_by: time('When a person must have authorized again if nothing is refreshed before.'),
  authorized_at: time('When the person approved.'),
  last_refreshed_at: time('When the token was last refreshed.'),
  granted_scopes: z.array(z.string()).describe('What the token may do.'),
  missing_scopes: z.array(z.string()).describe('Requested at the last authorization and not granted.'),
  authorization_status: z
    .enum(['none', 'pending', 'succeeded', 'denied', 'failed', 'expired', 'cancelled'])
    .describe('The pending authorization, or how the last one ended (told for ten minutes).'),
  authorization_url: z.string().nullable().describe('The link of the pending authorization.'),
  authorization_expires_at: time('Until when that link can be used.'),
  authorization_error: z.string().nullable().describe('Why the authorization ended without a token.'),
  auto_refresh: z.boolean().describe('Whether this server refreshes ahead of time by itself.'),
  key_source: z.enum(['keychain', 'file', 'env']).nullable().describe("What keeps the store's key."),
  store: z.enum(['file', 'postgres']).describe('Where the token set is kept, sealed.'),
  generation: z.number().int().nullable().describe('Counts the token sets; grows with each refresh.'),
  verified: z
    .boolean()
    .nullable()
    .describe('Whether Feishu accepts the token; null: not asked, or no answer.'),
  api_calls_last_hour: z.number().int().describe('Calls of this profile to Feishu, by all processes.'),
  deliveries,
  profiles: z
    .array(
      z.strictObject({
        profile: z.string().describe('Its name.'),
        status: status.nullable().describe('As the status above; null: not looked at.'),
      }),
    )
    .describe('All profiles; the status of the first twenty.'),
  warnings: z.array(z.string()).describe('What a person should know, a sentence each; empty: nothing.'),
  next_step: nextStep,
})

/** Loaded with the first call and kept: importing again would copy all that it exports. */
let verb: Promise<typeof import('../status/status.ts')> | null = null

/** Registers `token_status` (docs/design.md). */
export function registerTokenStatus(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'token_status',
    {
      title: 'Feishu token status',
      description:
        'Tells whether the stored Feishu / Lark user token is valid, when it expires, who is logged in, and what to do next (飞书 token 状态). ' +
        'Reads only; asks Feishu only with verify. With wait_seconds it waits for a pending authorization to end. It never returns a token.',
      inputSchema: input,
      outputSchema: output,
      annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
    },
    (given) =>
      toResult(context, async (deps) => {
        verb ??= import('../status/status.ts')
        const { tokenStatus } = await verb
        return tokenStatus(deps, {
          profile: given.profile ?? deps.config.profile,
          verify: given.verify ?? false,
          waitSeconds: given.wait_seconds ?? 0,
        })
      }),
  )
}
