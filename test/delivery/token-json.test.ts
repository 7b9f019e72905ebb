import { readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { fieldLike } from '../../src/delivery/token-fields.ts'
import { NO_LINKS, OWN_FILE, testIf } from '../support/needs.ts'
import { deliverOne, makeHome } from './home.ts'
import { makeToken, NOW } from './token.ts'

const FIRST = makeToken('first')
const SECOND = makeToken('second')

describe('token-json', () => {
  test('a missing file is created for its owner alone, without a refresh token', async () => {
    const home = makeHome()
    expect(await deliverOne(home, 'token-json:~/token.json', FIRST)).toMatchObject({
      status: 'delivered',
      restart_required: false,
    })
    expect(JSON.parse(home.read('token.json'))).toEqual({
      access_token: FIRST.accessToken,
      token_type: 'Bearer',
      expires_in: 7200,
      expires_at: '2026-11-22T12:00:00+00:00',
      scope: 'docx:document offline_access',
    })
    expect(statSync(join(home.path, 'token.json')).mode & 0o777).toBe(OWN_FILE)
    expect(await deliverOne(home, 'token-json:~/token.json', FIRST)).toMatchObject({ status: 'unchanged' })
    expect(await deliverOne(home, 'token-json:~/token.json', SECOND)).toMatchObject({ status: 'delivered' })
    expect(readdirSync(home.path).sort()).toEqual(['.feishu-token-mcp', 'token.json'])
  })

  test('an existing file keeps its other fields, order and number format', async () => {
    const home = makeHome()
    home.put(
      'token.json',
      '{\r\n\t"id": 12345678901234567890,\r\n\t"expires_at": 1,\r\n\t"access_token": "x"\r\n}',
    )
    await home.deliver('token-json:~/token.json', { ...FIRST, accessToken: 'new' })
    expect(home.read('token.json')).toBe(
      '{\r\n\t"id": 12345678901234567890,\r\n\t"expires_at": 1795348800,\r\n\t"access_token": "new",' +
        '\r\n\t"token_type": "Bearer",\r\n\t"expires_in": 7200,\r\n\t"scope": "docx:document offline_access"\r\n}',
    )
  })

  test.each([
    ['{"access_token": "x", "refresh_token": "ur-1"}', /`feishu-token-mcp import FILE`/],
    ['{"access_token": "x", "data": {"refresh_token": "ur-1"}}', /`feishu-token-mcp import FILE`/],
    ['{"access_token": "x", "access_token": "y"}', /more than once/],
    ['{"code": 0}', /no access_token/],
    ['{}', /no access_token/],
    ['[]', /no access_token/],
    ['{"access_token": "x"', /not valid JSON/],
    [`{"access_token": "\${TOKEN}"}`, /reference/],
  ])('%s is refused and untouched', async (text, why) => {
    const home = makeHome()
    home.put('token.json', text)
    const delivery = await deliverOne(home, 'token-json:~/token.json', FIRST)
    expect(delivery.status).toBe('refused')
    expect(delivery.detail).toMatch(why)
    expect(home.read('token.json')).toBe(text)
  })

  testIf(NO_LINKS)('no folder is created, and no link is followed into nothing', async () => {
    const home = makeHome()
    symlinkSync('nowhere', join(home.path, 'link.json'))
    expect(await deliverOne(home, 'token-json:~/none/token.json', FIRST)).toMatchObject({
      status: 'failed',
      detail: expect.stringContaining('ENOENT'),
    })
    expect(await deliverOne(home, 'token-json:~/link.json', FIRST)).toMatchObject({ status: 'refused' })
    expect(readdirSync(home.path)).toEqual(['link.json'])
  })
})

describe('the form of a token.json', () => {
  const end = Math.floor(FIRST.accessTokenExpiresAt / 1000)

  test.each([
    ['expires_at', '1795000000', `${end}`],
    ['expires_at', '1795000000.25', `${end}.0`],
    ['expires_at', '1795000000000', `${end}000`],
    ['expires_at', '"1795000000"', `"${end}"`],
    ['expires_at', '"2026-01-01T00:00:00Z"', '"2026-11-22T12:00:00Z"'],
    ['expires_at', '"2026-01-01T00:00:00.123456+00:00"', '"2026-11-22T12:00:00.000000+00:00"'],
    ['expires_at', '"2026-01-01 00:00:00+0800"', '"2026-11-22 20:00:00+0800"'],
    ['expires_at', '"2026/01/01 00:00:00 UTC"', '"2026/11/22 12:00:00 UTC"'],
    ['expires_at', 'null', '"2026-11-22T12:00:00+00:00"'],
    ['expire_time', '1795000000', `${end}`],
    ['expiresAt', '"1795000000000"', `"${end}000"`],
    ['expires_in', '"7100"', '"7200"'],
    ['expires_in', '1795000000', `${end}`],
    ['obtained_at', '1790000000', `${NOW / 1000}`],
    ['created_at', '"2026-01-01T00:00:00+00:00"', '"2026-11-22T10:00:00+00:00"'],
    ['scope', '["a", "b"]', '["docx:document","offline_access"]'],
    ['scope', '"a,b"', '"docx:document,offline_access"'],
    ['token_type', '"bearer"', '"bearer"'],
    ['user_access_token', '"OLD"', JSON.stringify(FIRST.accessToken)],
    ['user_name', '"Ada"', '"Ada"'],
    ['refresh_expires_in', '0', '0'],
  ])('"%s": %s becomes %s', async (name, before, after) => {
    const home = makeHome()
    home.put('t.json', `{"access_token": "OLD", "${name}": ${before}}`)
    expect(await deliverOne(home, 'token-json:~/t.json', FIRST)).toMatchObject({ status: 'delivered' })
    expect(home.read('t.json')).toContain(`{"access_token": "${FIRST.accessToken}", "${name}": ${after},`)
  })

  test.each([
    '"expires_at": "tomorrow"',
    '"expires_at": [1]',
    '"expires_in": true',
    '"token_expiry_text": "soon"',
  ])('%s cannot be kept true: the file is left alone', async (field) => {
    const home = makeHome()
    const text = `{"access_token": "OLD", ${field}}`
    home.put('t.json', text)
    expect(await deliverOne(home, 'token-json:~/t.json', FIRST)).toMatchObject({
      status: 'refused',
      detail: expect.stringMatching(/"\w+" describes the token in an unknown form/),
    })
    expect(home.read('t.json')).toBe(text)
  })

  test('a time without a zone is written only where ours is UTC', () => {
    const content = { ...FIRST, now: NOW }
    const field = '"2026-01-01 00:00:00"'
    const zone = process.env.TZ
    onTestFinished(() => {
      if (zone === undefined) delete process.env.TZ
      else process.env.TZ = zone
    })
    process.env.TZ = 'UTC'
    expect(fieldLike('expires_at', JSON.parse(field), field, content)).toBe('"2026-11-22 12:00:00"')
    process.env.TZ = 'Asia/Shanghai'
    expect(fieldLike('expires_at', JSON.parse(field), field, content)).toBeNull()
  })
})
