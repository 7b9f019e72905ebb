// A desktop session of its own: a private D-Bus with gnome-keyring on it, that starts no other service.

import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { onTestFinished, vi } from 'vitest'
import { HANGS_MS } from './patience.ts'

const PROGRAMS = ['dbus-daemon', 'dbus-send', 'gnome-keyring-daemon']
const missing = PROGRAMS.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)

/** Why there can be no session here; null: there can. Elsewhere the keychain would be that of whoever runs the tests. */
export const NO_SESSION: string | null =
  process.platform !== 'linux'
    ? 'a keychain of its own has a session on Linux alone'
    : missing.length > 0
      ? `${missing.join(', ')} missing: apt-get install gnome-keyring dbus`
      : null

const BUS_CONFIG = (
  socket: string,
): string => `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
  "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=${socket}</listen>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
`

export type Session = {
  /** The bus's socket, where a desktop has /run/user/<uid>/bus. */
  socket: string
  environment: Record<string, string>
  bus: ChildProcess
  /** Starts gnome-keyring with an unlocked keyring. */
  startKeyring: () => Promise<ChildProcess>
  lock: () => Promise<void>
}

export async function startSession(): Promise<Session> {
  const home = await mkdtemp(join(tmpdir(), 'session-'))
  const socket = join(home, 'bus')
  const environment = {
    PATH: process.env.PATH ?? '',
    HOME: home,
    XDG_RUNTIME_DIR: join(home, 'run'),
    XDG_DATA_HOME: join(home, 'data'),
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}`,
  }
  await mkdir(environment.XDG_RUNTIME_DIR, { mode: 0o700 })
  await writeFile(join(home, 'bus.conf'), BUS_CONFIG(socket))
  const children: ChildProcess[] = []
  onTestFinished(async () => {
    for (const child of children.reverse()) await end(child)
    await rm(home, { recursive: true, force: true })
  })
  const started = (program: string, args: string[]): ChildProcess => {
    const child = spawn(program, args, { env: environment, stdio: ['pipe', 'pipe', 'ignore'] })
    children.push(child)
    return child
  }

  const bus = started('dbus-daemon', [
    `--config-file=${join(home, 'bus.conf')}`,
    '--nofork',
    '--print-address=1',
  ])
  await once(bus.stdout ?? bus, 'data')

  async function startKeyring(): Promise<ChildProcess> {
    const keyring = started('gnome-keyring-daemon', ['--foreground', '--unlock', '--components=secrets'])
    keyring.stdin?.end('password of the login keyring')
    await vi.waitFor(
      () =>
        send(environment, 'org.freedesktop.DBus', '/', 'org.freedesktop.DBus.GetNameOwner', [
          'string:org.freedesktop.secrets',
        ]),
      PATIENCE,
    )
    await vi.waitFor(() => {
      if (!existsSync(join(environment.XDG_DATA_HOME, 'keyrings', 'login.keyring')))
        throw new Error('no keyring yet')
    }, PATIENCE)
    return keyring
  }

  const lock = async () => {
    const secrets = '/org/freedesktop/secrets'
    const collections = [`array:objpath:${secrets}/collection/login`]
    await send(
      environment,
      'org.freedesktop.secrets',
      secrets,
      'org.freedesktop.Secret.Service.Lock',
      collections,
    )
  }
  return { socket, environment, bus, startKeyring, lock }
}

const PATIENCE = { timeout: HANGS_MS / 2, interval: 20 }

async function send(
  env: NodeJS.ProcessEnv,
  to: string,
  path: string,
  method: string,
  args: string[],
): Promise<void> {
  await promisify(execFile)(
    'dbus-send',
    ['--session', '--print-reply', `--dest=${to}`, path, method, ...args],
    { env },
  )
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const closed = once(child, 'exit')
  child.kill('SIGKILL')
  await closed
}
