// Alpine by what the loaders of native parts ask for: the file /etc/alpine-release. musl itself is not here.

import { execFile, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect } from 'vitest'
import { makeFolder } from '../support/folder.ts'
import { testIf } from '../support/needs.ts'
import { authorize, PROGRAM, setStage, startServer } from '../support/program.ts'

/** Runs "$@" where /etc holds what lies in the folder $0. */
const IN_ALPINE = 'mount -t overlay overlay -o "lowerdir=$0:/etc" /etc && exec "$@"'

function makeEtc(): string {
  const folder = makeFolder()
  mkdirSync(join(folder, 'etc'))
  writeFileSync(join(folder, 'etc', 'alpine-release'), '3.22.0\n')
  return join(folder, 'etc')
}

function missing(): string | null {
  const { status } = spawnSync('unshare', [
    '-m',
    'sh',
    '-c',
    'mount -t overlay overlay -o lowerdir=/usr:/etc /etc',
  ])
  return status === 0 ? null : 'no mount namespace: run as root where unshare is permitted'
}

testIf(missing())('on Alpine a token is refreshed', async () => {
  const stage = await setStage()
  await authorize(stage, await startServer(stage))
  const inAlpine = async (...words: string[]) => {
    const args = ['-m', 'sh', '-c', IN_ALPINE, makeEtc(), process.execPath, ...words]
    return (await promisify(execFile)('unshare', args, { env: stage.env })).stdout
  }
  const refused = `try { require('fs-native-extensions') } catch (error) { console.log(error.code) }`
  expect((await inAlpine('-e', refused)).trim(), 'the control: its own loader').toBe('ADDON_NOT_FOUND')
  expect(JSON.parse(await inAlpine(PROGRAM, 'refresh', '--force', '--json'))).toMatchObject({
    status: 'refreshed',
  })
})
