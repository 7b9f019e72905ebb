import { lstatSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { NO_LINKS, OWN_FILE, testIf } from '../support/needs.ts'
import { deliverOne, makeHome } from './home.ts'
import { makeToken } from './token.ts'

const FIRST = makeToken('first')
const SECOND = makeToken('second')

describe('file', () => {
  const target = 'file:~/token'

  test('a missing file is created: the token and a line end, for its owner alone', async () => {
    const home = makeHome()
    expect(await deliverOne(home, target, FIRST)).toMatchObject({
      status: 'delivered',
      restart_required: false,
    })
    expect(home.read('token')).toBe(`${FIRST.accessToken}\n`)
    expect(statSync(join(home.path, 'token')).mode & 0o777).toBe(OWN_FILE)
    expect(await deliverOne(home, target, FIRST)).toMatchObject({ status: 'unchanged' })
    expect(await deliverOne(home, target, SECOND)).toMatchObject({ status: 'delivered' })
    expect(home.read('token')).toBe(`${SECOND.accessToken}\n`)
    expect(readdirSync(home.path).sort()).toEqual(['.feishu-token-mcp', 'token'])
  })

  testIf(NO_LINKS)('a link is followed, and the file behind it replaced', async () => {
    const home = makeHome()
    const real = home.put('secrets/feishu', 'old\r\n')
    symlinkSync(real, join(home.path, 'token'))
    expect(await deliverOne(home, target, FIRST)).toMatchObject({ status: 'delivered' })
    expect(lstatSync(join(home.path, 'token')).isSymbolicLink()).toBe(true)
    expect(readFileSync(real, 'utf8')).toBe(`${FIRST.accessToken}\n`)
  })

  test('what a person wrote there since is drift', async () => {
    const home = makeHome()
    await home.deliver(target, FIRST)
    for (const text of ['mine\n', 'mine, in\ntwo lines\n', '']) {
      home.put('token', text)
      expect(await deliverOne(home, target, SECOND)).toMatchObject({ status: 'drift' })
      expect(home.read('token')).toBe(text)
    }
    expect(await deliverOne(home, target, SECOND, { force: true })).toMatchObject({ status: 'delivered' })
    expect(home.read('token')).toBe(`${SECOND.accessToken}\n`)
  })

  test.each(['# a shell script\nexport A=1\n', '{"access_token": "x"}', 'op://vault/token', 'two words'])(
    'a file that holds something other than a token is never taken for its own: %j',
    async (text) => {
      const home = makeHome()
      home.put('token', text)
      expect(await deliverOne(home, target, FIRST, { force: true })).toMatchObject({ status: 'refused' })
      expect(home.read('token')).toBe(text)
    },
  )

  test('a dry run shows neither token', async () => {
    const home = makeHome()
    home.put('token', `${SECOND.accessToken}\n`)
    const { detail } = await deliverOne(home, target, FIRST, { dryRun: true })
    expect(detail.split('\n').slice(2)).toEqual([
      '@@ -1,1 +1,1 @@ the token',
      '-<present value>',
      '+<access token>',
    ])
  })
})
