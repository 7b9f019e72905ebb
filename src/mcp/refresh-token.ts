import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import * as z from 'zod'
import { CHANGES_STATE, deliveries, nextStep, profileInput, profileOutput, seconds, time } from './fields.ts'
import { type ToolContext, toResult } from './tool-result.ts'

const input = z.strictObject({
  force: z.boolean().optional().describe('true: refresh even if the access token is still valid.'),
  profile: profileInput,
})

const output = z.strictObject({
  status: z
    .enum(['refreshed', 'still_valid', 'refreshed_elsewhere'])
    .describe('refreshed_elsewhere: another process had just done it.'),
  profile: profileOutput,
  access_token_expires_at: time('When the access token expires.'),
  access_token_expires_in: seconds('How long the access token lives.'),
  refresh_token_expires_at: time('When the refresh token expires.'),
  refresh_token_expires_in: seconds('How long the refresh token lives.'),
  generation: z.number().int().describe('Counts the token sets.'),
  persisted: z
    .boolean()
    .describe('false: the new token is in memory only, because the store cannot be written.'),
  deliveries,
  next_step: nextStep,
})

/** Registers `refresh_token` (docs/design.md). */
export function registerRefreshToken(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'refresh_token',
    {
      title: 'Renew the stored Feishu token',
      description:
        'Renews the stored Feishu / Lark user token (刷新飞书 token) and keeps the new one; returns when it expires, never a token. ' +
        'Call it when token_status says needs_refresh, or when another Feishu tool reports an expired token. ' +
        'Safe to call at any time: a token that is still valid is left alone unless force is true.',
      inputSchema: input,
      outputSchema: output,
      annotations: CHANGES_STATE,
    },
    (given) =>
      toResult(context, async (deps) => {
        const { refreshAnswer } = await import('../refresh/answer.ts')
        const { refreshToken } = await import('../refresh/refresh.ts')
        const profile = given.profile ?? deps.config.profile
        return refreshAnswer(
          deps,
          profile,
          await refreshToken(deps, { profile, force: given.force ?? false }),
        )
      }),
  )
}
