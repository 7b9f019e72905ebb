import { createCipheriv, randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CodedError } from '../../src/errors.ts'
import {
  type Binding,
  type Header,
  keyIdOf,
  openEnvelope,
  readEnvelope,
  readHeader,
  seal,
} from '../../src/store/envelope.ts'
import { effortMs } from '../support/effort.ts'
import { failureOf } from '../support/failure.ts'

const PATH = '/tokens/store/feishu-cli_a1-default.json'
const key = randomBytes(32)
const header: Header = {
  kind: 'token-set',
  brand: 'feishu',
  app_id: 'cli_a1',
  profile: 'default',
  generation: 7,
  key_source: 'file',
  key_id: keyIdOf(key),
}
const binding: Binding = { kind: 'token-set', brand: 'feishu', app_id: 'cli_a1', profile: 'default' }
const content = { generation: 7, token_set: { accessToken: 'canary-access', refreshToken: 'canary-refresh' } }
const sealed = seal(header, content, key)

/** Whether a text is opened; what is refused must be refused with our own error. */
function isOpened(text: string): boolean {
  try {
    openEnvelope(readEnvelope(text, PATH), binding, key, PATH)
    return true
  } catch (error) {
    if (error instanceof CodedError && ['store_unreadable', 'key_unavailable'].includes(error.code))
      return false
    throw error
  }
}

describe('seal and open', () => {
  test('are inverse, for any content, header and key', () => {
    const text = fc.string({ unit: 'binary', maxLength: 8 })
    const headers = fc.record({
      kind: fc.constantFrom('token-set' as const, 'authorization' as const, 'apps' as const),
      brand: text,
      app_id: text,
      profile: text,
      generation: fc.nat(),
      key_source: fc.constantFrom('keychain' as const, 'file' as const, 'env' as const),
      key_id: fc.constant('0123456789abcdef'),
    })
    const json = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }))
    fc.assert(
      fc.property(headers, json, fc.uint8Array({ minLength: 32, maxLength: 32 }), (given, written, bytes) => {
        const made = seal(given, written, Buffer.from(bytes))
        const opened = openEnvelope(readEnvelope(made, PATH), given, Buffer.from(bytes), PATH)
        expect(JSON.stringify(opened.content)).toBe(JSON.stringify(written))
        expect(opened.header).toMatchObject(given)
        expect(readHeader(made, PATH)).toMatchObject(given)
      }),
    )
  })

  test('make another text each time, and show nothing of the content', () => {
    const texts = new Set(Array.from({ length: 100 }, () => seal(header, content, key)))
    expect(texts.size).toBe(100)
    expect(sealed).not.toContain('canary')
    expect(Buffer.from(sealed.split('"sealed":"')[1] ?? '', 'base64').toString('latin1')).not.toContain(
      'canary',
    )
  })

  test('keep the header readable, the version first', () => {
    expect(sealed).toMatch(/^\{"format":"feishu-token-mcp","version":1,.*\}\n$/)
    expect(JSON.parse(sealed)).toMatchObject(header)
  })
})

describe('a file that was touched never opens', () => {
  test('whichever byte was changed, in whichever bit', () => {
    const bytes = Buffer.from(sealed)
    for (let at = 0; at < bytes.length; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const flipped = Buffer.from(bytes)
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit)
        if (isOpened(flipped.toString('utf8')))
          throw new Error(`opened with bit ${bit} of byte ${at} flipped`)
      }
    }
    expect(isOpened(sealed)).toBe(true)
  })

  test('at whatever length it was cut', () => {
    const lengths = Array.from({ length: sealed.length }, (_, length) => length)
    expect(lengths.filter((length) => isOpened(sealed.slice(0, length)))).toEqual([])
  })

  test('when anything was added, doubled or left out', () => {
    fc.assert(
      fc.property(fc.nat(sealed.length), fc.nat(8), fc.string({ maxLength: 8 }), (at, removed, added) => {
        const text = sealed.slice(0, at) + added + sealed.slice(at + removed)
        expect(isOpened(text)).toBe(text === sealed)
      }),
      { numRuns: 1_000 },
    )
  })

  test.each<[string, (text: string) => string]>([
    ['an unknown member', (text) => text.replace('{', '{"x":1,')],
    [
      'another order',
      (text) => text.replace('"brand":"feishu","app_id":"cli_a1"', '"app_id":"cli_a1","brand":"feishu"'),
    ],
    ['a doubled member', (text) => text.replace('"brand"', '"brand":"feishu","brand"')],
    ['a blank', (text) => text.replace(',', ', ')],
    ['an escape', (text) => text.replace('feishu"', 'fei\\u0073hu"')],
    ['a generation with a sign of its own', (text) => text.replace('"generation":7', '"generation":7.0')],
    ['a byte order mark', (text) => `\uFEFF${text}`],
    ['no line end', (text) => text.trimEnd()],
    ['a line end of Windows', (text) => text.replace('\n', '\r\n')],
    ['two line ends', (text) => `${text}\n`],
    ['base64 without padding', (text) => text.replace(/=*"\}\n$/, '"}\n').replace('"}\n', 'A"}\n')],
    ['the base64 of URLs', (text) => text.replace(/("sealed":".*?)[A-Za-z]/, '$1-')],
  ])('with %s', (_what, touch) => {
    const text = touch(sealed)
    expect(text).not.toBe(sealed)
    expect(isOpened(text)).toBe(false)
  })
})

describe('a sealed content', () => {
  test.each<[string, Partial<Header>]>([
    ['another kind', { kind: 'authorization' }],
    ['another brand', { brand: 'lark' }],
    ['another app', { app_id: 'cli_b2' }],
    ['another profile', { profile: 'work' }],
  ])('of %s is refused, and both are named', async (_what, changes) => {
    const foreign = seal({ ...header, ...changes }, content, key)
    const error = await failureOf(() => openEnvelope(readEnvelope(foreign, PATH), binding, key, PATH))
    expect(error.code).toBe('store_unreadable')
    const [name = '', value = ''] = Object.entries(changes)[0] ?? []
    expect(error.message).toContain(`belongs to ${name} "${value}", not "${binding[name as keyof Binding]}"`)
  })

  test('cannot be moved under the header of another', () => {
    const other = seal({ ...header, generation: 8 }, content, key)
    const [head] = sealed.split('"sealed"')
    const [, tail] = other.split('"sealed"')
    expect(isOpened(`${head}"sealed"${tail}`)).toBe(false)
  })

  test('of another key is not opened', async () => {
    const error = await failureOf(() =>
      openEnvelope(readEnvelope(sealed, PATH), binding, randomBytes(32), PATH),
    )
    expect(error.message).toContain('its seal does not hold')
  })
})

describe('what is no file of ours', () => {
  test.each<[string, string, RegExp]>([
    ['nothing', '', /no complete JSON/],
    ['NULs', '\0'.repeat(500), /no complete JSON/],
    ['a part of JSON', '{"format":', /no complete JSON/],
    ['null', 'null', /not a file of this program/],
    ['a list', '[]', /not a file of this program/],
    ['the old script’s file', '{"access_token":"canary"}', /not a file of this program/],
    ['a header alone', `${sealed.split(',"sealed"')[0]}}\n`, / is damaged/],
    ['an older version', sealed.replace('"version":1', '"version":0'), / is damaged/],
    ['a version that is no number', sealed.replace('"version":1', '"version":"1"'), / is damaged/],
    ['an empty seal', sealed.replace(/"sealed":".*"/, '"sealed":""'), / is damaged/],
    [
      'a seal without content',
      sealed.replace(/"sealed":".*"/, `"sealed":"${Buffer.alloc(28).toString('base64')}"`),
      / is damaged/,
    ],
    ['a key id that leads elsewhere', sealed.replace(header.key_id, '../../../etc/x'), / is damaged/],
    [
      'a key id with a character before it',
      sealed.replace(header.key_id, `0${header.key_id}`),
      / is damaged/,
    ],
    [
      'a key id with a character behind it',
      sealed.replace(header.key_id, `${header.key_id}0`),
      / is damaged/,
    ],
    ['a brand that is no text', sealed.replace('"brand":"feishu"', '"brand":7'), / is damaged/],
    ['a kind that is none', sealed.replace('"kind":"token-set"', '"kind":"token"'), / is damaged/],
    ['a newer version in text', sealed.replace('"version":1', '"version":"2"'), / is damaged/],
    ['a source of keys that is none', sealed.replace('"file"', '"here"'), / is damaged/],
    ['a generation that is text', sealed.replace('"generation":7', '"generation":"7"'), / is damaged/],
    ['a generation beyond counting', sealed.replace('"generation":7', '"generation":1e300'), / is damaged/],
  ])('%s is refused, left alone, and the error says what to do', async (_what, text, why) => {
    const error = await failureOf(() => openEnvelope(readEnvelope(text, PATH), binding, key, PATH))
    expect(error).toMatchObject({ code: 'store_unreadable', recovery: 'fix_config' })
    expect(error.message).toMatch(why)
    expect(error.message).toContain(PATH)
    expect(error.nextStep).toContain('start_authorization')
    expect(error.message).not.toContain('canary')
  })

  test('a newer version is refused with what to do about it', async () => {
    const newer = sealed.replace('"version":1', '"version":2')
    expect(
      (await failureOf(() => openEnvelope(readEnvelope(newer, PATH), binding, key, PATH))).nextStep,
    ).toContain('Update feishu-token-mcp')
  })

  test('a hostile name is shown bounded and plain', async () => {
    const hostile = seal({ ...header, profile: `\u001b[31m\u202e"${'x'.repeat(5_000)}` }, content, key)
    const { message } = await failureOf(() => openEnvelope(readEnvelope(hostile, PATH), binding, key, PATH))
    expect(message).toMatch(/^[\x20-\x7e]{1,250}$/)
  })

  test('any bytes are refused, in no long time', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          expect(isOpened(Buffer.from(bytes).toString('utf8'))).toBe(false)
        },
      ),
    )
    const effort = effortMs(() => {
      for (const unit of ['[', '{"format":"feishu-token-mcp","a":', '"', '\\']) {
        expect(isOpened(unit.repeat((1 << 20) / unit.length))).toBe(false)
      }
    })
    expect(effort).toBeLessThan(2_000)
  })
})

test('the seal is AES-256-GCM with the header as associated data: another program could open it', () => {
  const nonce = Buffer.alloc(12, 1)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  const [head = ''] = sealed.split(',"sealed"')
  cipher.setAAD(Buffer.from(`${head}}`))
  const bytes = Buffer.concat([nonce, cipher.update('{"by":"another"}'), cipher.final(), cipher.getAuthTag()])
  const text = `${head},"sealed":"${bytes.toString('base64')}"}\n`
  expect(openEnvelope(readEnvelope(text, PATH), binding, key, PATH).content).toEqual({ by: 'another' })
})

test('a key is named without telling anything about it', () => {
  expect(keyIdOf(key)).toMatch(/^[0-9a-f]{16}$/)
  expect(keyIdOf(key)).not.toBe(keyIdOf(randomBytes(32)))
  expect(key.toString('hex')).not.toContain(keyIdOf(key))
})
