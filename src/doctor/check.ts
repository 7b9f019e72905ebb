// What a check of doctor's says, and in which words it is said that one passed or failed.

import type { App } from '../app/app.ts'
import { CodedError } from '../errors.ts'
import type { Machine } from '../machine/system.ts'
import { type Sentence, say } from '../sentence.ts'

/** One check as `doctor --json` prints it. */
export type Check = {
  name: CheckName
  status: 'pass' | 'warn' | 'fail' | 'skip'
  message: Sentence
  hint: Sentence | null
}

/** In the order in which they are shown: what depends on another comes after it. */
export const CHECK_NAMES = [
  'settings',
  'versions',
  'store',
  'key',
  'lock',
  'clock',
  'accounts_host',
  'open_host',
  'app',
  'redirect_port',
  'redirect_registered',
  'token',
  'scopes',
  'targets',
  'copies',
  'timer',
] as const
export type CheckName = (typeof CHECK_NAMES)[number]

/** What a check found. */
export type Finding = Omit<Check, 'name'>
export type Checks = Partial<Record<CheckName, () => Promise<Finding>>>

/** What this program runs on. */
export type Runtime = Machine & { version: string; node: string; arch: string }

export function pass(message: Sentence, hint: Sentence | null = null): Finding {
  return { status: 'pass', message, hint }
}

export function warn(message: Sentence, hint: Sentence | null): Finding {
  return { status: 'warn', message, hint }
}

export function fail(message: Sentence, hint: Sentence | null): Finding {
  return { status: 'fail', message, hint }
}

export function skip(message: Sentence, hint: Sentence | null = null): Finding {
  return { status: 'skip', message, hint }
}

/** A check that needs the app; without one it is skipped. */
export function withApp(
  app: App | CodedError,
  check: (app: App) => Promise<Finding>,
): () => Promise<Finding> {
  return async () => {
    if (!(app instanceof CodedError)) return check(app)
    return skip(
      app.code === 'not_configured'
        ? say`Not checked: no app is configured.`
        : say`Not checked: the app's credentials cannot be read.`,
    )
  }
}
