// As many kills and stops as the figures ask for: an hour's work, not part of any other run.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { killLogins, killRefreshes } from './kills.ts'
import { printedSeed, seededRandom } from './process.ts'
import { openTheatre, type Theatre } from './scene.ts'
import { stopHolders } from './stops.ts'
import { buildVariant } from './variant.ts'

/** Together the thousand kills of the figures. */
const REFRESH_KILLS = 600
const LOGIN_KILLS = 400
/** The hundred rounds of the figures, as many at once as fit into memory. */
const STOP_BATCHES = 4
const STOPPED_AT_ONCE = 25
const STOP_MS = 60_000
const AN_HOUR = 3_600_000

let theatre: Theatre
let main: string
beforeAll(async () => {
  theatre = await openTheatre()
  main = await buildVariant('whole')
})
afterAll(() => theatre.close())

test('refreshes survive kills', { timeout: AN_HOUR }, async () => {
  const tally = await killRefreshes(theatre, main, REFRESH_KILLS, seededRandom(printedSeed('refresh kills')))
  console.log(tally)
  expect(tally).toMatchObject({ unreadable: 0, slow: 0 })
})

test('logins survive kills', { timeout: AN_HOUR }, async () => {
  const tally = await killLogins(theatre, main, LOGIN_KILLS, seededRandom(printedSeed('login kills')))
  console.log(tally)
  expect(tally).toMatchObject({ unreadable: 0 })
})

test('stopped holders present nothing twice', { timeout: AN_HOUR }, async () => {
  for (let batch = 1; batch <= STOP_BATCHES; batch += 1) {
    const tally = await stopHolders(theatre, main, STOPPED_AT_ONCE, STOP_MS)
    console.log(tally)
    expect(tally).toMatchObject({ doubled: 0, ended: STOPPED_AT_ONCE, unanswered: 0 })
  }
})
