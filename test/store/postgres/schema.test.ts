// What is said of tables that this program does not work with.

import { expect, test } from 'vitest'
import type { Database } from '../../../src/store/postgres/database.ts'
import { checkVersion, SCHEMA_VERSION } from '../../../src/store/postgres/schema.ts'
import { failureOf } from '../../support/failure.ts'

const DATABASE = { place: 'db.example:5432/tokens', command: 'npx -y feishu-token-mcp' } as Database

test.each([
  [SCHEMA_VERSION - 1, 'an older', 'Run `npx -y feishu-token-mcp store init`.'],
  [SCHEMA_VERSION + 1, 'a newer', 'Update feishu-token-mcp on this machine.'],
])(
  'tables of version %i are %s: what to do names this program as it was started',
  async (version, age, nextStep) => {
    const error = await failureOf(() => checkVersion(DATABASE, version))
    expect(error).toMatchObject({ code: 'config_invalid', nextStep })
    expect(error.message).toContain(`of ${age} version (${version})`)
  },
)
