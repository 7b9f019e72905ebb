// Delivers one token after the other to one file until it is killed. Usage: FILE MEMORY-DIR

import { deliverToken } from '../../src/delivery/deliver.ts'
import { parseTargets } from '../../src/delivery/targets.ts'
import { makeToken } from './token.ts'

const [path = '', memoryDir = ''] = process.argv.slice(2)
const targets = parseTargets(`mcp:${path}#lark`, { platform: 'linux', home: '/', environment: {} })
for (let turn = 0; ; turn++) {
  process.send?.(turn)
  await deliverToken(targets, makeToken(`turn ${turn % 5}`), {
    memoryDir,
    now: 0,
    force: false,
    dryRun: false,
  })
}
