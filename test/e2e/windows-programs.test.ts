// Windows' rule that the current folder comes first where a program is started by its name: we switch it off for
// ourselves. That Windows keeps to the switch was seen in its documents; here its platform is a pretence.

import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/folder.ts'
import { PROGRAM } from '../support/program.ts'

const SWITCH = 'NoDefaultCurrentDirectoryInExePath'

test.each([
  ['win32', '1'],
  ['linux', undefined],
])('on %s the switch is %s', (platform, expected) => {
  const preload = join(makeFolder(), 'pretend.cjs')
  writeFileSync(
    preload,
    `Object.defineProperty(process, 'platform', { value: '${platform}' })
process.on('exit', () => console.log(JSON.stringify({ set: process.env.${SWITCH} })))`,
  )
  const { [SWITCH]: _, ...env } = process.env
  const output = execFileSync(process.execPath, ['-r', preload, PROGRAM, '--version'], {
    env,
    encoding: 'utf8',
  })
  expect(JSON.parse(output.split('\n').at(-2) ?? '')).toEqual(expected ? { set: expected } : {})
})
