// A timer of the system that refreshes every day, so that a login outlives weeks in which no client runs.

import { execFile } from 'node:child_process'
import { mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CodedError, errnoOf } from '../errors.ts'
import { removeFile, replaceFile } from '../machine/files.ts'
import { HANDED_ON } from '../machine/proxy.ts'
import type { Environment } from '../machine/system.ts'
import { say } from '../sentence.ts'
import { openLaunchd } from './launchd.ts'
import { ARGUMENTS, type Job, type Run, type Scheduler, type TimerFile } from './scheduler.ts'
import { openSystemd } from './systemd.ts'
import { openTaskScheduler } from './task-scheduler.ts'

export type TimerState = {
  /** `outdated`: it would start something else than this program as it is now; `absent`: none, as far as we know. */
  status: 'running' | 'stopped' | 'outdated' | 'absent'
  /** Null: there is none that we know; `cronLine` is what is left. */
  scheduler: Scheduler['name'] | null
  files: TimerFile[]
  cronLine: string | null
  /** How the last run ended; null: unknown. */
  lastExit: number | null
  /** Whether it runs while no one is logged in; null: unknown. */
  outlivesLogin: boolean | null
  /** Settings that the run would lack and that decide about it: secrets, or where the scheduler sets none. */
  lacking: string[]
}

/** Decide whose tokens are refreshed, where they are, and how Feishu is reached. */
const SETTINGS = [
  'FEISHU_BRAND',
  'FEISHU_APP_ID',
  'FEISHU_APP_SECRET_FILE',
  'FEISHU_PROFILE',
  'FEISHU_TOKEN_DIR',
  'FEISHU_TOKEN_KEY_SOURCE',
  'FEISHU_TOKEN_ENDPOINT',
  'FEISHU_ACCOUNTS_URL',
  'FEISHU_OPEN_URL',
  'FEISHU_REFRESH_MARGIN',
  'FEISHU_DELIVER_TO',
  ...HANDED_ON,
]

/** Never written into a file of the scheduler. */
const SECRETS = ['FEISHU_APP_SECRET', 'FEISHU_TOKEN_KEY', 'FEISHU_TOKEN_STORE', 'PGPASSWORD']

/** A scheduler that is asked answers at once, or is broken. */
const RUN_MS = 20_000

/** What the process says of itself; the settings are chosen here. */
export type TimerHost = Omit<Job, 'settings' | 'tokenDir'> & {
  /** The environment without our secrets: the scheduler's program gets it. */
  helpers: Environment
}

function jobOf(host: TimerHost, tokenDir: string): { job: Job; lacking: string[] } {
  const { environment } = host
  const given = (name: string) => environment[name] !== undefined && environment[name] !== ''
  // An App ID without its secret is an error of the settings.
  const names = SETTINGS.filter((name) => name !== 'FEISHU_APP_ID' || given('FEISHU_APP_SECRET_FILE'))
  // The password of a proxy is a secret.
  const secrets = HANDED_ON.filter((name) => environment[name]?.includes('@'))
  const settings = Object.fromEntries(
    names
      .filter((name) => given(name) && !secrets.includes(name))
      .map((name) => [name, String(environment[name]).replace(/[\r\n]+/g, ' ')]),
  )
  // The run begins in another folder.
  if (given('FEISHU_TOKEN_DIR')) settings.FEISHU_TOKEN_DIR = tokenDir
  return { job: { ...host, tokenDir, settings }, lacking: [...SECRETS.filter(given), ...secrets] }
}

function runWith({ helpers }: TimerHost): Run {
  return (program, args, environment = {}) =>
    new Promise((resolve) => {
      const options = { timeout: RUN_MS, windowsHide: true, env: { ...helpers, ...environment } }
      execFile(program, args, options, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === 'number' ? error.code : 1
        resolve({ code, stdout: `${stdout}${code === 0 ? '' : stderr}`.trim() })
      })
    })
}

type Timer = { job: Job; scheduler: Scheduler | null; look: () => Promise<TimerState> }

async function openTimer(host: TimerHost, tokenDir: string): Promise<Timer> {
  const { job, lacking } = jobOf(host, tokenDir)
  const scheduler = await openScheduler(job, runWith(host))
  return { job, scheduler, look: () => stateOf(job, lacking, scheduler) }
}

async function openScheduler(job: Job, run: Run): Promise<Scheduler | null> {
  if (job.platform === 'darwin') return openLaunchd(job, run)
  if (job.platform === 'win32') return openTaskScheduler(job, run)
  return openSystemd(job, run)
}

/** For a shell, and for crontab, where "%" is the end of a line. */
function inCron(word: string): string {
  const plain = /^[\w./:@=+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`
  return plain.replaceAll('%', '\\%')
}

function cronLineOf({ node, script, settings }: Job): string {
  const variables = Object.entries(settings).map(([name, value]) => `${name}=${inCron(value)}`)
  return ['17 10 * * *', ...variables, ...[node, script, ...ARGUMENTS].map(inCron)].join(' ')
}

function readText({ path, encoding }: TimerFile): string | null {
  try {
    return readFileSync(path, encoding)
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return null
    throw unwritable(path, error)
  }
}

function unwritable(path: string, cause: unknown): CodedError {
  return new CodedError('config_invalid', say`${path} cannot be read or written (${errnoOf(cause) ?? ''}).`, {
    nextStep: say`Give this account permission, then try again.`,
    cause,
  })
}

/** Looks, and changes nothing. */
export async function timerState(host: TimerHost, tokenDir: string): Promise<TimerState> {
  return (await openTimer(host, tokenDir)).look()
}

async function stateOf(job: Job, lacking: string[], scheduler: Scheduler | null): Promise<TimerState> {
  const nothing = { lastExit: null, outlivesLogin: null, lacking }
  if (!scheduler) {
    return { ...nothing, status: 'absent', scheduler: null, files: [], cronLine: cronLineOf(job) }
  }
  const { name, files, setsEnvironment } = scheduler
  const texts = files.map(readText)
  const same = texts.every((text, index) => text === files[index]?.content)
  const present = texts.some((text) => text !== null)
  const running = present && (await scheduler.isRunning())
  return {
    status: !present ? 'absent' : !same ? 'outdated' : running ? 'running' : 'stopped',
    scheduler: name,
    files,
    cronLine: null,
    lastExit: present ? await scheduler.lastExit() : null,
    outlivesLogin: present ? await scheduler.outlivesLogin() : null,
    lacking: setsEnvironment ? lacking : [...Object.keys(job.settings), ...lacking],
  }
}

/**
 * Has the scheduler refresh every day from now on; what is there already stays as it is.
 *
 * @throws CodedError `config_invalid` where the scheduler refuses
 */
export async function installTimer(
  host: TimerHost,
  tokenDir: string,
): Promise<{ changed: boolean; state: TimerState }> {
  const { job, scheduler, look } = await openTimer(host, tokenDir)
  const before = await look()
  if (!scheduler || before.status === 'running') return { changed: false, state: before }
  for (const file of scheduler.files) {
    try {
      mkdirSync(dirname(file.path), { recursive: true, mode: 0o700 })
      replaceFile(file.path, Buffer.from(file.content, file.encoding))
    } catch (error) {
      throw unwritable(file.path, error)
    }
  }
  const refusal = await scheduler.start()
  if (refusal !== null) {
    throw new CodedError(
      'config_invalid',
      say`${scheduler.name} does not take the timer: ${refusal.slice(0, 300)}.`,
      {
        nextStep: say`Fix what it says, or put this line into your crontab: ${cronLineOf(job)}`,
      },
    )
  }
  return { changed: true, state: await look() }
}

/** Takes the timer away, whatever it would start. */
export async function removeTimer(
  host: TimerHost,
  tokenDir: string,
): Promise<{ changed: boolean; state: TimerState }> {
  const { scheduler, look } = await openTimer(host, tokenDir)
  const before = await look()
  if (!scheduler || before.status === 'absent') return { changed: false, state: before }
  await scheduler.stop()
  for (const { path } of scheduler.files) removeFile(path)
  return { changed: true, state: await look() }
}
