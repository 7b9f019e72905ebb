import { expect, test } from 'vitest'
import { moveRecord } from '../../src/profiles/move.ts'
import { renameProfile } from '../../src/profiles/profiles.ts'
import { changing } from '../store/fixture.ts'
import { makeDeps, seed } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'

test.each(['three', 'one'])(
  'a name that a killed rename has reached is not given up for "%s" before that rename is completed',
  async (to) => {
    const world = await makeDeps()
    const { deps } = world
    const { app, record } = await seed(world, 'one')
    const at = (profile: string) => ({ ...app.id, profile })
    let changes = 0
    const store = changing(deps.store, () => {
      changes += 1
      if (changes === 3) throw new Error('killed')
    })
    const killed = moveRecord({ store, id: at('one') }, { store, id: at('two') }, 1_000)
    await expect(killed).rejects.toThrow('killed')
    expect(await failureOf(() => renameProfile(deps, { from: 'two', to }))).toMatchObject({
      code: 'config_invalid',
      message: 'Profile "one" was being renamed to "two" when that was interrupted; nothing was changed.',
      nextStep: `Run \`${deps.command} profile rename one two\` first.`,
    })
    await renameProfile(deps, { from: 'one', to: 'two' })
    await renameProfile(deps, { from: 'two', to })
    expect(await deps.store.profileNames(app.id)).toEqual([to])
    const { tokenSet } = await deps.store.read(at(to))
    expect(tokenSet?.refusal).toBeNull()
    expect(tokenSet?.refreshToken?.reveal()).toBe(record.tokenSet?.refreshToken?.reveal())
  },
)
