import { expect } from 'vitest'
import { settle } from '../../src/wiring/settle.ts'
import { breakDisk, LONG_MS, makeRecord } from '../store/fixture.ts'
import { makeDeps, seed } from '../support/deps.ts'
import { NO_POSIX_FILES, testIf } from '../support/needs.ts'

testIf(NO_POSIX_FILES)(
  'a token that cannot be written by the end is told to end with the process',
  async () => {
    const world = await makeDeps()
    const { deps } = world
    const { app } = await seed(world)
    await settle(deps)
    expect(world.logs).toEqual([])
    let mend = (): void => undefined
    await deps.store.withLock(app.id, LONG_MS, async (locked) => {
      const { generation } = await locked.read()
      mend = breakDisk(world.directory)
      await locked.commit(makeRecord(generation + 1), generation)
    })
    await settle(deps)
    expect(world.logs).toEqual([expect.stringContaining('ends with this process; log in again')])
    mend()
    await settle(deps)
    expect(world.logs).toHaveLength(1)
  },
)
