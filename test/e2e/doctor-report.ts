// What doctor answers, its form checked.

import { expect } from 'vitest'
import type { SandboxOptions } from '../feishu-sandbox/sandbox.ts'
import { checkText } from '../support/invariants.ts'
import { type Environment, presentations, run, type Stage, setStage } from '../support/program.ts'
import { openStore, storeIssued } from '../support/stored.ts'

export type Check = { name: string; status: string; message: string; hint: string | null }
export type Report = { code: number | null; checks: Record<string, Check> }

export const NAMES: string[] = [
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
]

export async function stageOf(options: SandboxOptions & { env?: Environment } = {}): Promise<Stage> {
  return setStage({ ...options, env: { FEISHU_TOKEN_KEY_SOURCE: 'file', ...options.env } })
}

export function idOf(stage: Stage): { brand: 'feishu'; appId: string; profile: string } {
  return { brand: 'feishu', appId: stage.sandbox.app.appId, profile: 'default' }
}

export async function loggedInStage(options: SandboxOptions & { env?: Environment } = {}): Promise<Stage> {
  const stage = await stageOf(options)
  const { sandbox, tokenDir } = stage
  await storeIssued(openStore(tokenDir), idOf(stage), sandbox.issue(), sandbox.user, Date.now())
  return stage
}

/** Runs doctor; whatever it finds, its answer has its form, holds no secret, and it spent nothing. */
export async function doctor(stage: Stage, env: Environment = {}, args: string[] = []): Promise<Report> {
  const spent = presentations(stage)
  const ended = await run(stage, ['doctor', '--json', ...args], { env })
  const { checks } = JSON.parse(ended.stdout) as { checks: Check[] }
  expect(checks.map(({ name }) => name)).toEqual(NAMES)
  for (const check of checks) {
    expect(Object.keys(check)).toEqual(['name', 'status', 'message', 'hint'])
    expect(check.status).toMatch(/^(pass|warn|fail|skip)$/)
    if (check.status === 'fail') expect(check.hint, check.name).not.toBeNull()
  }
  checkText('the report', ended.stdout + ended.stderr, stage.sandbox.secrets())
  expect(presentations(stage)).toBe(spent)
  return { code: ended.code, checks: Object.fromEntries(checks.map((check) => [check.name, check])) }
}

export function statuses({ checks }: Report): Record<string, string> {
  return Object.fromEntries(Object.values(checks).map(({ name, status }) => [name, status]))
}
