// Processes that are killed and stopped at random; the long form is in processes.soak.ts.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { killLogins, killRefreshes } from './kills.ts'
import { printedSeed, seededRandom } from './process.ts'
import { openTheatre, type Theatre } from './scene.ts'
import { stopHolders } from './stops.ts'
import { WHOLE } from './variant.ts'

let theatre: Theatre
beforeAll(async () => {
  theatre = await openTheatre()
})
afterAll(() => theatre.close())

test('kills at random moments of refreshes lose nothing that could be kept', async () => {
  const tally = await killRefreshes(theatre, WHOLE, 60, seededRandom(printedSeed('refresh kills')))
  console.log(tally)
  expect(tally).toMatchObject({ unreadable: 0, lostOutside: 0 })
})

test('kills at random moments of logins lose nothing that could be kept', async () => {
  const tally = await killLogins(theatre, WHOLE, 40, seededRandom(printedSeed('login kills')))
  console.log(tally)
  expect(tally).toMatchObject({ unreadable: 0, lostOutside: 0 })
})

test('holders that are stopped for longer than anybody waits are not overtaken', async () => {
  const tally = await stopHolders(theatre, WHOLE, 5, 17_000)
  console.log(tally)
  expect(tally).toMatchObject({ doubled: 0, ended: 5, unanswered: 0 })
})
