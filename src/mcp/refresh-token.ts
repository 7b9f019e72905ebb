// The tool `refresh_token`.

import type { Delivery } from '../delivery/deliver.ts'
import type { RefreshAnswer } from '../refresh/answer.ts'
import { CHANGES_STATE, nextStepOutput, profileInput, profileOutput } from './fields.ts'
import { count, countOrNull, type FieldsOf, flag, listOf, text, textOrNull, word } from './schema.ts'
import { defineTool, type Tool } from './tool.ts'

const deliveries = listOf<Delivery>(
  {
    target: text('As configured.'),
    status: word(
      { delivered: true, unchanged: true, drift: true, refused: true, failed: true },
      'drift: changed by hand, left alone.',
    ),
    detail: text('What, or why not.'),
    restart_required: flag('Of its reader.'),
    restart_hint: textOrNull('How.'),
  },
  'Copies for other programs.',
)

const output = {
  next_step: nextStepOutput,
  status: word(
    { refreshed: true, still_valid: true, refreshed_elsewhere: true },
    'refreshed_elsewhere: by another process.',
  ),
  profile: profileOutput,
  access_token_expires_at: textOrNull('End.'),
  access_token_expires_in: countOrNull('Seconds.'),
  refresh_token_expires_at: textOrNull('End.'),
  refresh_token_expires_in: countOrNull('Seconds.'),
  generation: count('Renewals.'),
  persisted: flag('false: only in memory yet.'),
  deliveries,
} satisfies FieldsOf<RefreshAnswer>

/** `refresh_token` (docs/design.md). */
export const refreshTokenTool: Tool = defineTool({
  name: 'refresh_token',
  title: 'Renew the stored Feishu token',
  description:
    'Renews the stored Feishu / Lark user token (刷新飞书 token) and keeps the new one: it tells times, never a token. ' +
    'Call it when token_status says needs_refresh, or when a Feishu tool reports an expired token.',
  annotations: CHANGES_STATE,
  input: { force: flag('true: renew a valid token too.'), profile: profileInput },
  output,
  async answer(deps, given) {
    const { refreshAnswer } = await import('../refresh/answer.ts')
    const { refreshToken } = await import('../refresh/refresh.ts')
    const profile = given.profile ?? deps.config.profile
    const result = await refreshToken(deps, { profile, force: given.force ?? false })
    return refreshAnswer(deps, profile, result)
  },
})
