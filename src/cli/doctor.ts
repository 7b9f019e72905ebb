import { forTerminal } from '../chinese/for-terminal.ts'
import type { Check, Runtime } from '../doctor/check.ts'
import { type Diagnosis, diagnose, diagnoseSettings } from '../doctor/doctor.ts'
import type { CodedError } from '../errors.ts'
import { type Cli, type Command, type Options, print } from './io.ts'
import { expectOperands } from './usage.ts'

const FAILED = 1
const NOT_CONFIGURED = 2

/** Checks everything and says what to mend. */
export const doctor: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  return show(cli, options, await diagnose(deps, profile, runtimeOf(cli)))
}

/** The same where the settings cannot be used. */
export async function doctorOfSettings(cli: Cli, options: Options, problem: CodedError): Promise<number> {
  return show(cli, options, await diagnoseSettings(problem, runtimeOf(cli)))
}

function runtimeOf({ version, runtime }: Cli): Runtime {
  return { version, ...runtime }
}

function show(cli: Cli, options: Options, { checks, configured }: Diagnosis): number {
  const text = forTerminal(checks.map(line).join(''), cli.command, options.profile)
  print(cli, options.json, { checks }, text)
  if (!configured) return NOT_CONFIGURED
  return checks.some(({ status }) => status === 'fail') ? FAILED : 0
}

function line({ name, status, message, hint }: Check): string {
  const advice = hint === null ? '' : `${' '.repeat(6)}${hint}\n`
  return `${status.padEnd(6)}${name}: ${message}\n${advice}`
}
