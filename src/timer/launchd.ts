// The daily timer of macOS.

import { join } from 'node:path'
import { findProgram } from '../machine/program.ts'
import { ARGUMENTS, inXml, type Job, type Ran, type Run, type Scheduler } from './scheduler.ts'

const LABEL = 'io.github.feishu-token-mcp.refresh'

/** The user's launchd; null: there is none. */
export function openLaunchd(job: Job, run: Run): Scheduler | null {
  const program = findProgram('launchctl', job)
  if (!program || job.uid === null) return null
  const path = join(job.home, 'Library', 'LaunchAgents', `${LABEL}.plist`)
  // Over SSH there may be no graphical session to put it into.
  const domains = [`gui/${job.uid}`, `user/${job.uid}`]
  const inAny = async (argsOf: (domain: string) => string[]): Promise<Ran> => {
    let ran: Ran = { code: 1, stdout: '' }
    for (const domain of domains) {
      ran = await run(program, argsOf(domain))
      if (ran.code === 0) break
    }
    return ran
  }
  const stop = async () => {
    for (const domain of domains) await run(program, ['bootout', `${domain}/${LABEL}`])
  }
  const print = () => inAny((domain) => ['print', `${domain}/${LABEL}`])
  return {
    name: 'launchd',
    files: [{ path, content: plistOf(job), encoding: 'utf8' }],
    setsEnvironment: true,
    async start() {
      await stop()
      const { code, stdout } = await inAny((domain) => ['bootstrap', domain, path])
      return code === 0 ? null : stdout || `launchctl: ${code}`
    },
    stop,
    isRunning: async () => (await print()).code === 0,
    async lastExit() {
      const [, code] = /last exit code = (\d+)/.exec((await print()).stdout) ?? []
      return code === undefined ? null : Number(code)
    },
    // An agent belongs to the session of its person.
    outlivesLogin: async () => null,
  }
}

function plistOf({ node, script, settings }: Job): string {
  const words = [node, script, ...ARGUMENTS].map((word) => `    <string>${inXml(word)}</string>\n`)
  const variables = Object.entries(settings).map(
    ([name, value]) => `    <key>${name}</key>\n    <string>${inXml(value)}</string>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words.join('')}  </array>
  <key>EnvironmentVariables</key>
  <dict>
${variables.join('')}  </dict>
  <key>StartCalendarInterval</key>
  <dict>
    <key>Hour</key>
    <integer>10</integer>
    <key>Minute</key>
    <integer>17</integer>
  </dict>
  <key>ProcessType</key>
  <string>Background</string>
</dict>
</plist>
`
}
