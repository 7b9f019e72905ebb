// The fields of `token_status`, in the contract's own names.

import { toTime } from '../answers.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Authorization, AuthorizationStatus, AuthorizationStep } from '../oauth/pending-authorization.ts'
import { type Sentence, say } from '../sentence.ts'
import type { KeySource } from '../store/envelope.ts'
import type { StoreDescription } from '../store/token-store.ts'
import type { FeishuErrorAnswer } from './feishu-error.ts'

/** What `token_status` answers of it. */
export type AuthorizationFields = {
  authorization_status: AuthorizationStatus
  authorization_step: AuthorizationStep | null
  authorization_url: string | null
  authorization_expires_at: string | null
  authorization_error: Sentence | null
}

/** The fields of an authorization. */
export function authorizationFields({ pending, told }: Authorization): AuthorizationFields {
  const live = told.status === 'pending' ? pending : null
  const { failure } = told
  return {
    authorization_status: told.status,
    authorization_step: live?.step ?? null,
    authorization_url: live?.authorizationUrl ?? null,
    authorization_expires_at: toTime(live?.deadlineAt ?? null),
    authorization_error: failure && say`${failure.message} ${failure.nextStep}`,
  }
}

export type Status =
  | 'valid'
  | 'needs_refresh'
  | 'expired'
  | 'not_authorized'
  | 'not_configured'
  | 'store_unreadable'

/** The answer of `token_status`, in the contract's own names. Times are RFC 3339, durations seconds. */
export type TokenStatus = AuthorizationFields & {
  next_step: Sentence
  status: Status
  profile: string
  brand: string
  app_id: string | null
  user_name: string | null
  user_open_id: string | null
  access_token_expires_at: string | null
  access_token_expires_in: number | null
  refresh_token_expires_at: string | null
  refresh_token_expires_in: number | null
  reauthorize_by: string | null
  authorized_at: string | null
  last_refreshed_at: string | null
  granted_scopes: string[]
  missing_scopes: string[]
  auto_refresh: boolean
  key_source: KeySource | null
  store: StoreDescription['kind']
  generation: number | null
  verified: boolean | null
  api_calls_last_hour: number
  deliveries: Delivery[]
  profiles: { profile: string; status: Status | null }[]
  warnings: Sentence[]
  feishu_error: FeishuErrorAnswer | null
}
