import { resolveApp } from '../app/app.ts'
import type { Delivery } from '../delivery/deliver.ts'
import { CodedError } from '../errors.ts'
import { deliverCopies } from '../hand-over/deliver.ts'
import { pullRecord } from '../hand-over/pull.ts'
import { notAuthorized } from '../refresh/refresh.ts'
import { LOCK_MS } from '../store/token-store.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './usage.ts'

const DONE: readonly Delivery['status'][] = ['delivered', 'unchanged']

/** Writes the token to the configured targets now; with `--dry-run` shows what would change. */
export const deliver: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  if (profile !== deps.config.profile) {
    throw new CodedError('config_invalid', `FEISHU_DELIVER_TO belongs to profile "${deps.config.profile}".`, {
      nextStep: `Set FEISHU_PROFILE=${profile} beside the targets that are meant for it.`,
    })
  }
  const app = await resolveApp(deps, profile)
  const dryRun = options['dry-run'] ?? false
  // One that is due and cannot be refreshed now is delivered while it lives.
  if (!dryRun) await pullRecord(deps, profile)
  // Under the lock: an older token must not be written over a newer one.
  const deliveries = await deps.store.withLock(app.id, LOCK_MS, async (locked) => {
    const { tokenSet } = await locked.read()
    if (!tokenSet) throw await notAuthorized(deps, app)
    deps.closing.throwIfAborted()
    return deliverCopies(deps.config, tokenSet, { now: deps.clock.now(), byHand: true, dryRun })
  })
  const lines = deliveries.map(({ target, status, detail, restart_hint }) => {
    if (dryRun && status === 'delivered') return `${target}: would be delivered.\n${detail}\n`
    return `${target}: ${status}. ${detail}${restart_hint ? ` ${restart_hint}` : ''}\n`
  })
  print(cli, options.json, { deliveries }, lines.join('') || 'FEISHU_DELIVER_TO names no target.\n')
  return dryRun || deliveries.every(({ status }) => DONE.includes(status)) ? 0 : 1
}
