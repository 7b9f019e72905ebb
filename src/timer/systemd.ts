// The daily timer of Linux.

import { join } from 'node:path'
import { findProgram } from '../machine/program.ts'
import { ARGUMENTS, type Job, type Run, type Scheduler } from './scheduler.ts'

const SERVICE = 'feishu-token-mcp.service'
const TIMER = 'feishu-token-mcp.timer'

/** The user's systemd; null: none is running for this user (containers, WSL without it, other systems). */
export async function openSystemd(job: Job, run: Run): Promise<Scheduler | null> {
  const program = findProgram('systemctl', job)
  if (!program) return null
  // Missing where someone came by su or cron; the manager is there all the same.
  const runtime = job.environment.XDG_RUNTIME_DIR ?? (job.uid === null ? '' : `/run/user/${job.uid}`)
  const systemctl = (...args: string[]) => run(program, ['--user', ...args], { XDG_RUNTIME_DIR: runtime })
  if ((await systemctl('show-environment')).code !== 0) return null
  const config = job.environment.XDG_CONFIG_HOME
  const folder = join(config?.startsWith('/') ? config : join(job.home, '.config'), 'systemd', 'user')
  return {
    name: 'systemd',
    files: [
      { path: join(folder, SERVICE), content: serviceOf(job), encoding: 'utf8' },
      { path: join(folder, TIMER), content: TIMER_UNIT, encoding: 'utf8' },
    ],
    setsEnvironment: true,
    async start() {
      await systemctl('daemon-reload')
      const { code, stdout } = await systemctl('enable', '--now', TIMER)
      return code === 0 ? null : stdout || `systemctl: ${code}`
    },
    async stop() {
      await systemctl('disable', '--now', TIMER)
    },
    async isRunning() {
      const [active, enabled] = await Promise.all([
        systemctl('is-active', TIMER),
        systemctl('is-enabled', TIMER),
      ])
      return active.code === 0 && enabled.code === 0
    },
    async lastExit() {
      const shown = await systemctl(
        'show',
        SERVICE,
        '--property=ExecMainExitTimestampMonotonic,ExecMainStatus',
      )
      if (!/^ExecMainExitTimestampMonotonic=[1-9]/m.test(shown.stdout)) return null
      const [, status] = /^ExecMainStatus=(\d+)$/m.exec(shown.stdout) ?? []
      return status === undefined ? null : Number(status)
    },
    async outlivesLogin() {
      const loginctl = findProgram('loginctl', job)
      const user = job.environment.USER ?? job.environment.LOGNAME
      if (!loginctl || !user) return null
      const { code, stdout } = await run(loginctl, ['show-user', user, '--property=Linger'])
      return code === 0 ? /^Linger=yes$/m.test(stdout) : null
    },
  }
}

/** A word of `ExecStart` or `Environment` (systemd.syntax, systemd.service): "%" and "$" stand for something there. */
function quoted(text: string, command: boolean): string {
  const plain = text.replace(/[\\"]/g, '\\$&').replaceAll('%', '%%')
  return `"${command ? plain.replaceAll('$', '$$$$') : plain}"`
}

function serviceOf({ node, script, settings }: Job): string {
  const command = [node, script].map((word) => quoted(word, true)).join(' ')
  const variables = Object.entries(settings).map(
    ([name, value]) => `Environment=${quoted(`${name}=${value}`, false)}\n`,
  )
  return `[Unit]
Description=Refresh the Feishu tokens that are due
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart=${command} ${ARGUMENTS.join(' ')}
${variables.join('')}`
}

/** At another minute on each machine; a day that the machine slept through is made up for. */
const TIMER_UNIT = `[Unit]
Description=Refresh the Feishu tokens once a day

[Timer]
OnCalendar=daily
RandomizedDelaySec=4h
Persistent=true

[Install]
WantedBy=timers.target
`
