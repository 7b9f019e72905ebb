// `deliver`: writes the token to the targets now.

import { laidOut } from '../chinese/fold.ts'
import { DELIVERY_STATUS, type Delivery } from '../delivery/deliver.ts'
import { CodedError } from '../errors.ts'
import { deliverByHand } from '../hand-over/deliver.ts'
import { say, series } from '../sentence.ts'
import { type Command, print } from './io.ts'
import { expectOperands } from './usage.ts'

const DONE: readonly Delivery['status'][] = ['delivered', 'unchanged']

/** Writes the token to the configured targets now; with `--dry-run` shows what would change. */
export const deliver: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  if (profile !== deps.config.profile) {
    throw new CodedError(
      'config_invalid',
      say`FEISHU_DELIVER_TO belongs to profile "${deps.config.profile}".`,
      {
        nextStep: say`Set FEISHU_PROFILE=${profile} beside the targets that are meant for it.`,
      },
    )
  }
  const dryRun = options['dry-run'] ?? false
  const deliveries = await deliverByHand(deps, profile, { dryRun, force: options.force ?? false })
  const lines = deliveries.map(({ target, status, detail, restart_hint }) => {
    if (dryRun && status === 'delivered') return laidOut(say`${target}: would be delivered.\n${detail}\n`)
    const line = say`${target}: ${DELIVERY_STATUS[status]}. ${detail}`
    return say`${restart_hint ? series([line, restart_hint], ' ') : line}\n`
  })
  if (lines.length === 0) lines.push(say`FEISHU_DELIVER_TO names no target.\n`)
  if (options.json) print(cli, true, { deliveries }, say``)
  else lines.forEach(cli.stderr)
  return dryRun || deliveries.every(({ status }) => DONE.includes(status)) ? 0 : 1
}
