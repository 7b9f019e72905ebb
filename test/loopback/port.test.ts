import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished } from 'vitest'
import { portHolders } from '../../src/loopback/port.ts'
import { testIf } from '../support/needs.ts'

testIf(process.platform === 'linux' ? null : 'Linux')(
  'who holds a port is named without what a terminal would act on',
  async () => {
    const source = `require('node:fs').writeFileSync('/proc/self/comm', '\\x1b[2Jcat\\u202e')
require('node:net').createServer().listen(0, '127.0.0.1', function () { console.log(this.address().port) })`
    const child = spawn(process.execPath, ['-e', source])
    onTestFinished(() => void child.kill('SIGKILL'))
    const [port] = await once(child.stdout, 'data')
    const holders = portHolders(Number(port))
    expect(holders).toContainEqual({ pid: child.pid, program: '?[2Jcat?' })
  },
)
