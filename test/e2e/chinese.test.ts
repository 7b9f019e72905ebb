// Chinese by the setting; by the locale, and every command: chinese.long.test.ts.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NO_LINKS, testIf } from '../support/needs.ts'
import { PROGRAM, run, setStage } from '../support/program.ts'
import { seed, speaksChinese } from './chinese-commands.ts'

describe('under FEISHU_LANG=zh', () => speaksChinese({ FEISHU_LANG: 'zh', LANG: 'en_US.UTF-8' }))

test('the setting wins over the locale', async () => {
  const stage = await setStage({ env: { FEISHU_LANG: 'en', LC_ALL: 'zh_CN.UTF-8' } })
  expect((await run(stage, ['--help'])).stdout).toMatch(/^Usage: /)
})

testIf(NO_LINKS)('the Chinese is loaded only when something is said in it', async () => {
  const stage = await setStage()
  await seed(stage)
  const dist = join(stage.home, 'dist')
  cpSync(dirname(PROGRAM), dist, { recursive: true, filter: (path) => !path.endsWith('chinese.js') })
  symlinkSync(resolve('node_modules'), join(stage.home, 'node_modules'))
  const exit = async (command: string, language: string) => {
    const env = { ...stage.env, FEISHU_LANG: language }
    const [code] = await once(spawn(process.execPath, [join(dist, 'main.js'), command], { env }), 'close')
    return code
  }
  expect([await exit('token', 'zh'), await exit('status', 'en'), await exit('doctor', 'en')]).toEqual([
    0, 0, 0,
  ])
  // It is this file that is missing.
  expect(await exit('status', 'zh')).not.toBe(0)
})
