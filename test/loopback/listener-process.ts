/** A listener in a process of its own, so that its memory, its descriptors and its end can be seen. */

import { readdirSync } from 'node:fs'
import { listenForCallback } from '../../src/loopback/listener.ts'
import { heldMebibytes } from '../support/garbage.ts'

export type Measurement = { responses: number; heldMebibytes: number; descriptors: number }

const port = Number(process.argv[2])
let responses = 0
const listener = await listenForCallback({
  redirectUri: `http://localhost:${port}/callback`,
  listen: null,
  tls: null,
  language: 'en',
  onResponse: async (query) => {
    responses += 1
    return { kind: query.get('state') === 'right' ? 'denied' : 'ignored' }
  },
})

process.on('message', async (message) => {
  if (message === 'close') {
    // With the channel gone, only the listener could keep this process alive.
    void listener.close().then(() => process.disconnect())
    return
  }
  const measurement: Measurement = {
    responses,
    heldMebibytes: await heldMebibytes(),
    descriptors: process.platform === 'linux' ? readdirSync('/proc/self/fd').length : 0,
  }
  process.send?.(measurement)
})
process.send?.(listener.addresses)
