// Makes one request in a process of its own, whose environment decides what it trusts. Usage: URL [PROXY]

import { createTransport } from '../../src/machine/transport.ts'
import { Secret } from '../../src/secret.ts'

const [url = '', proxy] = process.argv.slice(2)
const transport = createTransport({ proxy: proxy ? new Secret(proxy) : null, noProxy: null })
const answer = await transport.request({
  method: 'POST',
  url,
  headers: {},
  body: 'hello',
  deadlineMs: 5_000,
  account: { key: 'k', forced: false },
})
const told =
  answer.kind === 'answer'
    ? { status: answer.status, body: answer.body.toString() }
    : { code: answer.error.code, message: answer.error.message }
process.send?.(told)
process.disconnect()
