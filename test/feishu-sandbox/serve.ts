// The sandbox as a program: node scripts/run.mjs test/feishu-sandbox/serve.ts [--port N] [--brand lark]
// [--redirect-url URL]… [--auto-approve]. Prints one JSON line and runs until SIGTERM, SIGINT or the end of a piped stdin.

import { fstatSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { startSandbox } from './sandbox.ts'

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    brand: { type: 'string', default: 'feishu' },
    'redirect-url': { type: 'string', multiple: true, default: [] },
    'auto-approve': { type: 'boolean', default: false },
  },
})
const sandbox = await startSandbox({
  port: Number(values.port),
  brand: values.brand === 'lark' ? 'lark' : 'feishu',
  redirectUrls: values['redirect-url'],
  knobs: { autoApprove: values['auto-approve'] },
})
const { appId, appSecret } = sandbox.app
process.stdout.write(`${JSON.stringify({ url: sandbox.url, appId, appSecret })}\n`)

function stop(): void {
  sandbox.close().then(() => process.exit(0))
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
// Only a pipe tells that the parent is gone; /dev/null and a terminal do not. On Windows Node calls no pipe a FIFO.
const stdin = fstatSync(0)
if (!stdin.isCharacterDevice() && !stdin.isFile()) process.stdin.resume().on('end', stop)
