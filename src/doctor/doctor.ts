// Looks at everything that must be right for a token to be there when it is needed, and says what to fix. The checks
// run side by side, each with its own time; none spends a token or changes what is stored.

import { resolveApp } from '../app/app.ts'
import type { Deps } from '../deps.ts'
import { CodedError, toCodedError } from '../errors.ts'
import { type Sentence, say, series, typed } from '../sentence.ts'
import { settingsWarnings } from '../status/warnings.ts'
import {
  CHECK_NAMES,
  type Check,
  type Checks,
  type Finding,
  fail,
  pass,
  type Runtime,
  skip,
  warn,
} from './check.ts'
import { feishuChecks } from './feishu.ts'
import { exposedPaths, machineChecks } from './machine.ts'
import { timerCheck } from './timer.ts'

export type Diagnosis = { checks: Check[]; configured: boolean }

/** Longer than a keychain may take whose prompt waits for the person (on macOS), on a slow machine too. */
const CHECK_MS = 25_000

/** Runs all checks of a profile. */
export async function diagnose(deps: Deps, profile: string, runtime: Runtime): Promise<Diagnosis> {
  const exposed = exposedPaths(deps, runtime)
  const app = await resolveApp(deps, profile).catch(toCodedError)
  const warnings = settingsWarnings(deps)
  const checks: Checks = {
    settings: async () => settings(deps, profile, warnings),
    versions: async () => versions(runtime),
    ...machineChecks(deps, app, { profile, exposed, runtime }),
    ...feishuChecks(deps, app, profile, warnings),
    timer: () => timerCheck(deps),
  }
  const configured = !(app instanceof CodedError && app.code === 'not_configured')
  return { checks: await runAll(checks), configured }
}

/** What can be said when the settings cannot be used. */
export async function diagnoseSettings(problem: CodedError, runtime: Runtime): Promise<Diagnosis> {
  const checks: Checks = {
    settings: async () => fail(problem.said, problem.step),
    versions: async () => versions(runtime),
  }
  return { checks: await runAll(checks), configured: true }
}

function runAll(checks: Checks): Promise<Check[]> {
  const unchecked = async () => skip(say`Not checked: the settings cannot be used.`)
  return Promise.all(
    CHECK_NAMES.map(async (name) => ({ name, ...(await bounded(checks[name] ?? unchecked)) })),
  )
}

async function bounded(check: () => Promise<Finding>): Promise<Finding> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<Finding>((resolve) => {
    const finding = fail(
      say`There was no result within ${CHECK_MS / 1000} s.`,
      say`Run ${typed('doctor')} again.`,
    )
    timer = setTimeout(() => resolve(finding), CHECK_MS)
  })
  try {
    return await Promise.race([check(), late])
  } catch (error) {
    const { said, step } = toCodedError(error)
    return fail(said, step)
  } finally {
    clearTimeout(timer)
  }
}

function settings({ config, store }: Deps, profile: string, warnings: Sentence[]): Finding {
  if (warnings.length > 0) return warn(series(warnings, ' '), say`Correct them where the client sets them.`)
  return pass(
    say`profile "${profile}", redirect URL ${config.redirectUri}, store in ${store.description.place}`,
  )
}

function versions({ version, node, platform, arch }: Runtime): Finding {
  return pass(series([`feishu-token-mcp ${version}`, `Node ${node}`, `${platform} ${arch}`], ', '))
}
