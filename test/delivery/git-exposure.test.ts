import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type GitMachine, warnOfGit } from '../../src/delivery/git-exposure.ts'
import { NO_GIT, testIf } from '../support/needs.ts'
import { type Home, makeHome } from './home.ts'
import { makeToken } from './token.ts'

/** Somebody else's files take root. */
const ROOT = process.getuid?.() === 0 ? null : 'root'

// A second is the program's; git may take longer on a busy machine.
beforeEach(() => void vi.spyOn(AbortSignal, 'timeout').mockReturnValue(new AbortController().signal))
afterEach(() => void vi.restoreAllMocks())

function git(home: Home, ...args: string[]): void {
  execFileSync('git', args, { cwd: home.path, stdio: 'ignore' })
}

testIf(NO_GIT)('a file in a work tree is warned of unless it is ignored', async () => {
  const home = makeHome()
  const path = home.put('app/.env', 'TOKEN=x\n')
  expect(await warnOfGit(path)).toBeNull()
  git(home, 'init')
  expect(String(await warnOfGit(path))).toContain('.gitignore')
  home.put('.gitignore', '.env\n')
  expect(await warnOfGit(path)).toBeNull()
  git(home, 'add', '--force', 'app/.env')
  expect(String(await warnOfGit(path))).toContain('git rm --cached')
})

testIf(NO_GIT)('the warning stands in the delivery, whether it wrote or not', async () => {
  const home = makeHome()
  git(home, 'init')
  home.put('.env', 'TOKEN=x\n')
  const token = makeToken('new')
  for (const status of ['delivered', 'unchanged']) {
    const [delivery] = await home.deliver('dotenv:~/.env#TOKEN', token)
    expect(delivery).toMatchObject({ status, detail: expect.stringContaining('not ignored') })
  }
})

testIf(NO_GIT)('a repository’s configuration runs no program', async () => {
  const home = makeHome()
  const path = home.put('.env', 'TOKEN=x\n')
  git(home, 'init')
  home.put('monitor.sh', '#!/bin/sh\ntouch "$(dirname "$0")/ran"\n')
  git(home, 'config', 'core.fsmonitor', `sh ${join(home.path, 'monitor.sh')}`)
  expect(String(await warnOfGit(path))).toContain('.gitignore')
  expect(() => home.read('ran')).toThrow()
})

testIf(NO_GIT)('a broken repository is no reason to warn or to fail', async () => {
  const home = makeHome()
  const path = home.put('.env', 'TOKEN=x\n')
  mkdirSync(join(home.path, '.git'))
  expect(await warnOfGit(path)).toBeNull()
})

testIf(ROOT)('a work tree of another user is said to be one that git does not tell about', async () => {
  const home = makeHome()
  const path = home.put('.env', 'TOKEN=x\n')
  git(home, 'init')
  execFileSync('chown', ['-R', '12345', home.path])
  expect(String(await warnOfGit(path))).toContain('work tree dubious')
})

/** A machine with these programs; what was started is noted, and answers as given. */
function machineWith(platform: NodeJS.Platform, programs: string[], answer: Record<string, number | null>) {
  const started: string[] = []
  const machine: GitMachine = {
    platform,
    exists: (path) => programs.includes(path),
    start: async (program, args) => {
      started.push(program)
      const status = answer[args.find((arg) => arg in answer) ?? ''] ?? null
      return { status, stderr: '' }
    },
  }
  return { machine, started }
}

function workTree(): string {
  const home = makeHome()
  mkdirSync(join(home.path, '.git'))
  return home.put('.env', 'TOKEN=x\n')
}

const NOT_IGNORED = { 'ls-files': 1, 'check-ignore': 1 }

test('on Windows git is started by its absolute path, never from the folder of the file', async () => {
  const git = 'C:\\Program Files\\Git\\cmd\\git.exe'
  const { machine, started } = machineWith('win32', [git], NOT_IGNORED)
  expect(String(await warnOfGit(workTree(), 1_000, machine))).toContain('.gitignore')
  expect(new Set(started)).toEqual(new Set([git]))
  const without = machineWith('win32', [], NOT_IGNORED)
  expect(String(await warnOfGit(workTree(), 1_000, without.machine))).toContain('git did not tell')
  expect(without.started).toEqual([])
})

test('on a Mac the stub is not started before the Command Line Tools are there', async () => {
  const tools = machineWith('darwin', ['/usr/bin/git'], { '-p': 0, ...NOT_IGNORED })
  expect(String(await warnOfGit(workTree(), 1_000, tools.machine))).toContain('.gitignore')
  expect(tools.started[0]).toBe('/usr/bin/xcode-select')
  const none = machineWith('darwin', ['/usr/bin/git'], { '-p': 2, ...NOT_IGNORED })
  expect(String(await warnOfGit(workTree(), 1_000, none.machine))).toContain('git did not tell')
  expect(none.started).toEqual(['/usr/bin/xcode-select'])
  const homebrew = machineWith('darwin', ['/opt/homebrew/bin/git', '/usr/bin/git'], NOT_IGNORED)
  await warnOfGit(workTree(), 1_000, homebrew.machine)
  expect(new Set(homebrew.started)).toEqual(new Set(['/opt/homebrew/bin/git']))
})

test('silence is told where git had its time, and is no news where it had not', async () => {
  const silent = machineWith('linux', ['/usr/bin/git'], {})
  expect(String(await warnOfGit(workTree(), 1_000, silent.machine))).toContain('git did not tell')
  expect(await warnOfGit(workTree(), 500, silent.machine)).toBeNull()
  expect(await warnOfGit(workTree(), 0, silent.machine)).toBeNull()
})

testIf(ROOT)('a user whom the system does not know is warned like any other', async () => {
  const home = makeHome()
  home.put('.env', 'TOKEN=x\n')
  git(home, 'init')
  execFileSync('chown', ['-R', '54321', home.path])
  const bundle = join(home.path, 'ask.mjs')
  const source = `import { warnOfGit } from '${join(process.cwd(), 'src/delivery/git-exposure.ts')}'
console.log(await warnOfGit('${home.path}/.env'))`
  await build({
    stdin: { contents: source, resolveDir: process.cwd() },
    bundle: true,
    platform: 'node',
    format: 'esm',
    outfile: bundle,
  })
  const ask = ['--reuid', '54321', '--clear-groups', 'env', '-u', 'HOME', process.execPath, bundle]
  expect(execFileSync('setpriv', ask, { encoding: 'utf8', cwd: '/' })).toContain('.gitignore')
})
