// As many kills and stops as the figures ask for.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { killLogins, killRefreshes } from './kills.ts'
import { printedSeed, seededRandom } from './process.ts'
import { openTheatre, type Theatre } from './scene.ts'
import { stopHolders } from './stops.ts'
import { WHOLE } from './variant.ts'

/** Together the thousand kills of the figures. */
const REFRESH_KILLS = 600
const LOGIN_KILLS = 400
/** The hundred rounds of the figures, all at once. */
const STOPPED = 100
const STOP_MS = 60_000
const AN_HOUR = 3_600_000

let theatre: Theatre
beforeAll(async () => {
  theatre = await openTheatre()
})
afterAll(() => theatre.close())

test('refreshes survive kills', { timeout: AN_HOUR }, async () => {
  const tally = await killRefreshes(theatre, WHOLE, REFRESH_KILLS, seededRandom(printedSeed('refresh kills')))
  console.log(tally)
  expect(tally).toMatchObject({ unreadable: 0, lostOutside: 0 })
})

test('logins survive kills', { timeout: AN_HOUR }, async () => {
  const tally = await killLogins(theatre, WHOLE, LOGIN_KILLS, seededRandom(printedSeed('login kills')))
  console.log(tally)
  expect(tally).toMatchObject({ unreadable: 0, lostOutside: 0 })
})

test('stopped holders present nothing twice', { timeout: AN_HOUR }, async () => {
  const tally = await stopHolders(theatre, WHOLE, STOPPED, STOP_MS)
  console.log(tally)
  expect(tally).toMatchObject({ doubled: 0, ended: STOPPED, unanswered: 0 })
})
