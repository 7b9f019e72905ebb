// The daily timer of Windows.

import { join } from 'node:path'
import { findProgram } from '../machine/program.ts'
import { ARGUMENTS, inXml, type Job, type Run, type Scheduler } from './scheduler.ts'

const TASK = 'feishu-token-mcp refresh'

/** Windows' Task Scheduler; null: there is none. */
export function openTaskScheduler(job: Job, run: Run): Scheduler | null {
  const program = findProgram('schtasks', job)
  if (!program) return null
  const path = join(job.tokenDir, 'timer.xml')
  const query = () => run(program, ['/Query', '/TN', TASK, '/XML'])
  return {
    name: 'task-scheduler',
    // It takes no other encoding for sure.
    files: [{ path, content: `\ufeff${taskOf(job)}`, encoding: 'utf16le' }],
    // A task runs in the environment of its account.
    setsEnvironment: false,
    async start() {
      const { code, stdout } = await run(program, ['/Create', '/TN', TASK, '/XML', path, '/F'])
      return code === 0 ? null : stdout || `schtasks: ${code}`
    },
    async stop() {
      await run(program, ['/Delete', '/TN', TASK, '/F'])
    },
    async isRunning() {
      const { code, stdout } = await query()
      return code === 0 && !/<Settings>[\s\S]*<Enabled>false<\/Enabled>[\s\S]*<\/Settings>/.test(stdout)
    },
    // It tells in the language of the system.
    lastExit: async () => null,
    outlivesLogin: async () => null,
  }
}

/** Task Scheduler schema 1.2; a day that the machine slept through is made up for. */
function taskOf({ node, script }: Job): string {
  return `<?xml version="1.0" encoding="UTF-16"?>
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Refresh the Feishu tokens that are due</Description>
  </RegistrationInfo>
  <Triggers>
    <CalendarTrigger>
      <Enabled>true</Enabled>
      <StartBoundary>2026-01-01T10:17:00</StartBoundary>
      <RandomDelay>PT2H</RandomDelay>
      <ScheduleByDay>
        <DaysInterval>1</DaysInterval>
      </ScheduleByDay>
    </CalendarTrigger>
  </Triggers>
  <Principals>
    <Principal id="Author">
      <LogonType>InteractiveToken</LogonType>
      <RunLevel>LeastPrivilege</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <ExecutionTimeLimit>PT1H</ExecutionTimeLimit>
    <Enabled>true</Enabled>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>${inXml(node)}</Command>
      <Arguments>${inXml(`"${script}" ${ARGUMENTS.join(' ')}`)}</Arguments>
    </Exec>
  </Actions>
</Task>
`
}
