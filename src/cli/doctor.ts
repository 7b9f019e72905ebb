// `doctor`: one line for each check.

import type { Check, Runtime } from '../doctor/check.ts'
import { type Diagnosis, diagnose, diagnoseSettings } from '../doctor/doctor.ts'
import type { CodedError } from '../errors.ts'
import { cell, type Sentence, type Style, say, series, styled } from '../sentence.ts'
import type { Options } from './argv.ts'
import { type Cli, type Command, print } from './io.ts'
import { expectOperands } from './usage.ts'

const FAILED = 1
const NOT_CONFIGURED = 2

/** Checks everything and says what to fix. */
export const doctor: Command = async ({ cli, deps, profile, options, operands }) => {
  expectOperands(cli, operands, [])
  return show(cli, options, await diagnose(deps, profile, runtimeOf(cli)))
}

/** The same where the settings cannot be used. */
export async function doctorOfSettings(cli: Cli, options: Options, problem: CodedError): Promise<number> {
  return show(cli, options, await diagnoseSettings(problem, runtimeOf(cli)))
}

function runtimeOf({ version, runtime, home, environment }: Cli): Runtime {
  return { version, ...runtime, home, environment }
}

function show(cli: Cli, options: Options, { checks, configured }: Diagnosis): number {
  print(cli, options.json, { checks }, series(checks.map(line), ''))
  if (!configured) return NOT_CONFIGURED
  return checks.some(({ status }) => status === 'fail') ? FAILED : 0
}

const STATUS_WORDS: Readonly<Record<Check['status'], Sentence>> = {
  pass: say`pass`,
  warn: say`warn`,
  fail: say`fail`,
  skip: say`skip`,
}

const NAMES: Readonly<Record<Check['name'], Sentence>> = {
  settings: say`settings:`,
  versions: say`versions:`,
  store: say`store:`,
  key: say`key:`,
  lock: say`lock:`,
  clock: say`clock:`,
  accounts_host: say`accounts_host:`,
  open_host: say`open_host:`,
  app: say`app:`,
  redirect_port: say`redirect_port:`,
  redirect_registered: say`redirect_registered:`,
  token: say`token:`,
  scopes: say`scopes:`,
  targets: say`targets:`,
  copies: say`copies:`,
  timer: say`timer:`,
}

const STATUS_STYLES: Readonly<Record<Check['status'], Style>> = {
  pass: 'green',
  warn: 'yellow',
  fail: 'red',
  skip: 'dim',
}

/** The columns that the status takes, and its advice is moved in by. */
const STATUS_WIDTH = 6

function line({ name, status, message, hint }: Check): Sentence {
  const found = say`${styled(cell(STATUS_WORDS[status], STATUS_WIDTH), STATUS_STYLES[status])}${NAMES[name]} ${message}\n`
  return hint === null ? found : say`${found}${cell('', STATUS_WIDTH)}${hint}\n`
}
