import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { resolveApp } from '../../src/app/app.ts'
import { makeDeps } from '../support/deps.ts'
import { failureOf } from '../support/failure.ts'
import { makeFolder } from '../support/folder.ts'

const SECRET = 'dskLLdkasdjlasdKK7Qh2nWv5xYzAbCd'

async function appWith(content: string | Buffer) {
  const file = join(makeFolder(), 'secret')
  writeFileSync(file, content)
  const env = { FEISHU_APP_ID: 'cli_a1', FEISHU_APP_SECRET: '', FEISHU_APP_SECRET_FILE: file }
  const { deps, sandbox } = await makeDeps({ env })
  return { app: () => resolveApp(deps, 'default'), sandbox }
}

test.each([
  ['UTF-8 with its line end', `${SECRET}\n`],
  ['UTF-16 with its mark, as PowerShell writes it', Buffer.from(`\ufeff${SECRET}\r\n`, 'utf16le')],
])('a file in %s is read', async (_, content) => {
  const { app } = await appWith(content)
  expect((await app()).client.appSecret.reveal()).toBe(SECRET)
})

test.each([
  [`FEISHU_APP_SECRET=${SECRET}\n`, 'name with its value'],
  [`"${SECRET}"`, 'quotes'],
  [Buffer.from(SECRET, 'utf16le'), 'UTF-16'],
])('what is no App Secret is named by its form before anything is sent: %j', async (content, form) => {
  const { app, sandbox } = await appWith(content)
  const error = await failureOf(app)
  expect([error.code, error.message]).toEqual(['config_invalid', expect.stringContaining(form)])
  expect(`${error.message} ${error.nextStep}`).not.toContain(SECRET)
  expect(sandbox.requests).toEqual([])
})
