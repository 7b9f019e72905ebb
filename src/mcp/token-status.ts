// The tool `token_status`.

import type { Delivery } from '../delivery/deliver.ts'
import type { AuthorizationFields, Status, TokenStatus } from '../status/fields.ts'
import { nextStepOutput, profileInput, profileOutput } from './fields.ts'
import {
  count,
  countOrNull,
  type FieldsOf,
  flag,
  flagOrNull,
  listOf,
  objectOrNull,
  sameAs,
  sameWord,
  text,
  textOrNull,
  texts,
  word,
  wordOrNull,
} from './schema.ts'
import { defineTool, type Tool } from './tool.ts'

const input = {
  verify: flag('true: ask Feishu too.'),
  wait_seconds: {
    ...count('Wait for a pending login to end or go on.'),
    minimum: 0,
    maximum: 45,
  },
  feishu_error: count('From an error page of Feishu: explained.'),
  profile: profileInput,
}

const STATUSES: Readonly<Record<Status, true>> = {
  valid: true,
  needs_refresh: true,
  expired: true,
  not_authorized: true,
  not_configured: true,
  store_unreadable: true,
}

const ENDS: Readonly<Record<AuthorizationFields['authorization_status'], true>> = {
  none: true,
  pending: true,
  succeeded: true,
  denied: true,
  failed: true,
  expired: true,
  cancelled: true,
}

const output = {
  next_step: nextStepOutput,
  status: word(STATUSES, 'Of the token.'),
  profile: profileOutput,
  brand: text('feishu, lark.'),
  app_id: textOrNull('App.'),
  user_name: textOrNull('Untrusted.'),
  user_open_id: textOrNull('Person.'),
  access_token_expires_at: textOrNull('End.'),
  access_token_expires_in: countOrNull('Seconds.'),
  refresh_token_expires_at: textOrNull('End.'),
  refresh_token_expires_in: countOrNull('Seconds.'),
  reauthorize_by: textOrNull('Approve again by then.'),
  authorized_at: textOrNull('Approval.'),
  last_refreshed_at: textOrNull('Renewal.'),
  granted_scopes: texts('Granted.'),
  missing_scopes: texts('Asked for, not granted.'),
  authorization_status: word(ENDS, 'Of the login; an end is told for ten minutes.'),
  authorization_step: wordOrNull({ create_app: true, approve: true }, 'At the link.'),
  authorization_url: textOrNull('The link.'),
  authorization_expires_at: textOrNull('End.'),
  authorization_error: textOrNull('Why it ended.'),
  auto_refresh: flag('By itself.'),
  key_source: wordOrNull({ keychain: true, file: true, env: true }, 'Of the key.'),
  store: word({ file: true, postgres: true }, 'Place.'),
  generation: countOrNull('Renewals.'),
  verified: flagOrNull('By Feishu; null: not asked.'),
  api_calls_last_hour: count('Calls.'),
  deliveries: sameAs<Delivery>('As of refresh_token.'),
  profiles: listOf<TokenStatus['profiles'][number]>(
    { profile: text('Name.'), status: sameWord<Status | null>('null: not read.') },
    'All.',
  ),
  warnings: texts('For the person.'),
  feishu_error: objectOrNull<NonNullable<TokenStatus['feishu_error']>>(
    {
      number: count('Explained.'),
      cause: text('Cause.'),
      remedy: text('Remedy.'),
      url: textOrNull('Console page.'),
    },
    'As asked.',
  ),
} satisfies FieldsOf<TokenStatus>

/** Loaded with the first call and kept: importing again would copy all that it exports. */
let verb: Promise<typeof import('../status/status.ts')> | null = null

/** `token_status` (docs/design.md). */
export const tokenStatusTool: Tool = defineTool({
  name: 'token_status',
  title: 'Feishu token status',
  description:
    'Tells whether the stored Feishu / Lark user token is valid, when it expires, who is logged in, and what to do next (飞书 token 状态). ' +
    'Reads only. Times are UTC; null: unknown.',
  annotations: { readOnlyHint: true, destructiveHint: false, idempotentHint: true, openWorldHint: false },
  input,
  output,
  async answer(deps, given) {
    verb ??= import('../status/status.ts')
    const { tokenStatus } = await verb
    return tokenStatus(deps, {
      profile: given.profile ?? deps.config.profile,
      verify: given.verify ?? false,
      waitSeconds: given.wait_seconds ?? 0,
      feishuError: given.feishu_error,
    })
  },
})
