// What the system's schedulers have in common, and what each is told.

import type { Machine } from '../machine/system.ts'

/** How the daily run is started, and where this machine keeps such things. */
export type Job = Machine & {
  /** The person's number where the system has one. */
  uid: number | null
  /** Absolute paths: the scheduler knows no PATH of ours. */
  node: string
  script: string
  tokenDir: string
  /** Settings that are no secrets, for the run's environment. */
  settings: Readonly<Record<string, string>>
}

export type Ran = { code: number; stdout: string }

/** Runs a program of the system by its absolute path. */
export type Run = (program: string, args: string[], environment?: Record<string, string>) => Promise<Ran>

export type TimerFile = { path: string; content: string; encoding: 'utf8' | 'utf16le' }

export type Scheduler = {
  name: 'systemd' | 'launchd' | 'task-scheduler'
  files: TimerFile[]
  /** Whether it can set the run's environment. */
  setsEnvironment: boolean
  /** Tells it of the files; resolves to what it said where it refused, else null. */
  start: () => Promise<string | null>
  stop: () => Promise<void>
  /** Whether the run will happen. */
  isRunning: () => Promise<boolean>
  /** How the last run ended; null: none yet, or it does not tell. */
  lastExit: () => Promise<number | null>
  /** Whether it runs while no one is logged in; null: unknown. */
  outlivesLogin: () => Promise<boolean | null>
}

/** What is run. */
export const ARGUMENTS: readonly string[] = ['refresh', '--all']

export function inXml(text: string): string {
  return text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
}
