// The built program beside a real keychain: what it says of one that is locked, gone or hung, and how a client finds it
// that hands on no session.

import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { NO_SESSION, type Session, startSession } from '../support/keychain.ts'
import { describeIf, testIf } from '../support/needs.ts'
import { authorize, presentations, run, type Stage, setStage, startServer } from '../support/program.ts'

const NO_NAMESPACE =
  spawnSync('unshare', ['-m', 'true']).status === 0 ? null : 'unshare -m needs root on Linux'

function keyFiles(stage: Stage): string[] {
  const folder = join(stage.tokenDir, 'key')
  return existsSync(folder) ? readdirSync(folder) : []
}

/** A login whose key is in the keychain of a session, made in the usual way: by `auto`. */
async function loggedIn(session: Session): Promise<Stage> {
  const env = { DBUS_SESSION_BUS_ADDRESS: `unix:path=${session.socket}`, FEISHU_TOKEN_KEY_SOURCE: 'auto' }
  const stage = await setStage({ env })
  const server = await startServer(stage)
  await authorize(stage, server)
  expect((await server.call('token_status')).data).toMatchObject({ status: 'valid', key_source: 'keychain' })
  await server.close()
  expect(keyFiles(stage)).toEqual([])
  return stage
}

/** What doctor and `status` say of the key, and that neither takes it for a missing login. */
async function told(
  stage: Stage,
): Promise<{ check: { status: string; message: string; hint: string }; status: object }> {
  const report = await run(stage, ['doctor', '--json'])
  expect(report.code).toBe(1)
  const { checks } = JSON.parse(report.stdout)
  const named = (name: string) => checks.find((check: { name: string }) => check.name === name)
  expect(named('token')).toMatchObject({ status: 'skip' })
  const status = JSON.parse((await run(stage, ['status', '--json'])).stdout)
  expect(status).toMatchObject({ status: 'store_unreadable', key_source: 'keychain' })
  return { check: named('key'), status }
}

describeIf(NO_SESSION)('with gnome-keyring', () => {
  test('present, locked, hung and absent are four things, and the login survives all of them', async () => {
    const session = await startSession()
    const keyring = await session.startKeyring()
    const stage = await loggedIn(session)
    const healthy = JSON.parse((await run(stage, ['doctor', '--json'])).stdout)
    expect(healthy.checks).toContainEqual(
      expect.objectContaining({ name: 'key', status: 'pass', message: expect.stringMatching(/keychain/) }),
    )

    keyring.kill('SIGSTOP')
    expect((await told(stage)).check).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/did not answer/),
    })
    keyring.kill('SIGCONT')

    await session.lock()
    const locked = (await told(stage)).check
    expect(locked).toMatchObject({ status: 'fail', message: expect.stringMatching(/is locked/) })
    expect(locked.hint).toMatch(/^Unlock the keychain/)

    stage.env = { ...stage.env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent/bus' }
    const absent = (await told(stage)).check
    expect(absent).toMatchObject({
      status: 'fail',
      message: expect.stringMatching(/No keychain can be reached/),
    })
    expect(absent.hint).toContain('DBUS_SESSION_BUS_ADDRESS')
    expect(keyFiles(stage)).toEqual([])
    expect(presentations(stage)).toBe(0)
  })

  testIf(NO_NAMESPACE)(
    'a client that hands on no bus finds the keychain where the session has it',
    async () => {
      const session = await startSession()
      await session.startKeyring()
      const stage = await loggedIn(session)
      const node = join(stage.home, 'node-in-session')
      const own = `/run/user/${process.getuid?.()}`
      writeFileSync(
        node,
        `#!/bin/sh
exec unshare -m --propagation private sh -eu -c '
  mount -t tmpfs none /run
  mkdir -p ${own}
  : >${own}/bus
  mount --bind "${session.socket}" ${own}/bus
  exec "$0" "$@"
' "${process.execPath}" "$@"
`,
      )
      chmodSync(node, 0o755)
      const { DBUS_SESSION_BUS_ADDRESS: _, ...env } = stage.env
      const server = await startServer({ ...stage, env }, { node })
      const found = await server.call('token_status')
      expect(found.data).toMatchObject({ status: 'valid', key_source: 'keychain' })
      expect((await server.call('refresh_token', { force: true })).data.status).toBe('refreshed')
      // The control: without the session's folder there is no key.
      const lost = await startServer({
        ...stage,
        env: { ...env, DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' },
      })
      expect((await lost.call('token_status')).data.status).toBe('store_unreadable')
    },
  )
})
