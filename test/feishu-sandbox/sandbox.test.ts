import { execFileSync, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { testIf } from '../support/needs.ts'
import { authorizationUrl, refresh } from './client.ts'
import { startSandbox } from './sandbox.ts'

test('close leaves no socket and no port behind, whatever still hangs', async () => {
  const sandbox = await startSandbox()
  const port = Number(new URL(sandbox.url).port)
  const idle = connect(port, '127.0.0.1')
  await once(idle, 'connect')
  const fault = sandbox.faults.next({ kind: 'silence' })
  const hanging = expect(refresh(sandbox, 'x')).rejects.toThrow()
  await fault.reached
  const ended = once(idle, 'close')
  await Promise.all([sandbox.close(), sandbox.close()])
  await Promise.all([hanging, ended])
  const again = await startSandbox({ port })
  expect(again.url).toBe(sandbox.url)
  await again.close()
})

// Node cannot make a certificate by itself.
const hasOpenssl = spawnSync('openssl', ['version']).status === 0

testIf(hasOpenssl ? null : 'no openssl: install it')(
  'with a certificate the sandbox speaks https',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'feishu-sandbox-'))
    const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
    execFileSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-days',
        '1',
        '-subj',
        '/CN=127.0.0.1',
        '-keyout',
        key,
        '-out',
        cert,
      ],
      { stdio: 'ignore' },
    )
    const sandbox = await startSandbox({
      tls: { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') },
    })
    rmSync(folder, { recursive: true })
    expect(sandbox.url).toMatch(/^https:\/\/127\.0\.0\.1:\d+$/)
    expect(await sandbox.approve(authorizationUrl(sandbox))).toContain('code=')
    sandbox.faults.next({ kind: 'reset', when: 'after_processing' })
    const { refresh_token } = sandbox.issue()
    await expect(refresh(sandbox, refresh_token)).rejects.toThrow()
    expect(sandbox.inspect(String(refresh_token))?.status).toBe('used')
    await sandbox.close()
  },
)
