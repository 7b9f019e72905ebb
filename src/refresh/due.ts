// Whether a record's token set is due, and the result of a refresh.

import type { App } from '../app/app.ts'
import type { Delivery } from '../delivery/deliver.ts'
import type { Deps, RefreshResult } from '../deps.ts'
import { nextStep, type TokenRecord } from '../oauth/token-set.ts'

/** One call, under way. */
export type RefreshCall = { seen: TokenRecord; force: boolean; startedAt: number }

export function stepOf(deps: Deps, app: App, record: TokenRecord): ReturnType<typeof nextStep> {
  return nextStep(record.tokenSet, deps.clock.remainingMs(record, app.key), deps.config.refreshMarginMs)
}

export function resultOf(
  deps: Deps,
  app: App,
  status: RefreshResult['status'],
  record: TokenRecord,
  deliveries: Delivery[] = [],
): RefreshResult {
  const remainingMs = deps.clock.remainingMs(record, app.key)
  return { status, record, remainingMs, persisted: !deps.store.isUnsaved(app.id), deliveries }
}
