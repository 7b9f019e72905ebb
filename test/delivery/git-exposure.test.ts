import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { warnOfGit } from '../../src/delivery/git-exposure.ts'
import { type Home, makeHome } from './home.ts'
import { makeToken } from './token.ts'

function git(home: Home, ...args: string[]): void {
  execFileSync('git', args, { cwd: home.path, stdio: 'ignore' })
}

test('a file in a work tree is warned of unless it is ignored', async () => {
  const home = makeHome()
  const path = home.put('app/.env', 'TOKEN=x\n')
  expect(await warnOfGit(path)).toBeNull()
  git(home, 'init')
  expect(await warnOfGit(path)).toContain('.gitignore')
  home.put('.gitignore', '.env\n')
  expect(await warnOfGit(path)).toBeNull()
  git(home, 'add', '--force', 'app/.env')
  expect(await warnOfGit(path)).toContain('git rm --cached')
})

test('the warning stands in the delivery, whether it wrote or not', async () => {
  const home = makeHome()
  git(home, 'init')
  home.put('.env', 'TOKEN=x\n')
  const token = makeToken('new')
  for (const status of ['delivered', 'unchanged']) {
    const [delivery] = await home.deliver('dotenv:~/.env#TOKEN', token)
    expect(delivery).toMatchObject({ status, detail: expect.stringContaining('not ignored') })
  }
})

test('a repository’s configuration runs no program', async () => {
  const home = makeHome()
  const path = home.put('.env', 'TOKEN=x\n')
  git(home, 'init')
  home.put('monitor.sh', '#!/bin/sh\ntouch "$(dirname "$0")/ran"\n')
  git(home, 'config', 'core.fsmonitor', `sh ${join(home.path, 'monitor.sh')}`)
  expect(await warnOfGit(path)).toContain('.gitignore')
  expect(() => home.read('ran')).toThrow()
})

test('a broken repository is no reason to warn or to fail', async () => {
  const home = makeHome()
  const path = home.put('.env', 'TOKEN=x\n')
  mkdirSync(join(home.path, '.git'))
  expect(await warnOfGit(path)).toBeNull()
})
