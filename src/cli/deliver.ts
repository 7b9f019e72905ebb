import { resolveApp } from '../app.ts'
import { deliverCopies } from '../deliver.ts'
import type { Delivery } from '../delivery/deliver.ts'
import { notAuthorized, refreshToken } from '../refresh.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './run.ts'

const DONE: readonly Delivery['status'][] = ['delivered', 'unchanged']

/** Writes the token to the configured targets now; with `--dry-run` shows what would change. */
export const deliver: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  const app = await resolveApp(deps, profile)
  const dryRun = options['dry-run'] ?? false
  if (!dryRun) await refreshToken(deps, { profile, force: false })
  const { tokenSet } = await deps.store.read(app.id)
  if (!tokenSet) throw notAuthorized(deps, app)
  const deliveries = await deliverCopies(deps.config, tokenSet, {
    now: deps.clock.now(),
    byHand: true,
    dryRun,
  })
  const lines = deliveries.map(({ target, status, detail, restart_hint }) => {
    return `${target}: ${status}. ${detail}${restart_hint ? ` ${restart_hint}` : ''}\n`
  })
  print(cli, options.json, { deliveries }, lines.join('') || 'FEISHU_DELIVER_TO names no target.\n')
  return dryRun || deliveries.every(({ status }) => DONE.includes(status)) ? 0 : 1
}
