import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { feishuCodeOf, httpDate, logIdOf, parseObject, retryAfterMs } from '../../src/oauth/answer.ts'

const NOW = Date.UTC(2026, 0, 1)

test.each<[string, object | null]>([
  ['{"code":0}', { code: 0 }],
  ['\uFEFF{"code":0}', { code: 0 }],
  ['{"msg":"a\uFEFFb"}', { msg: 'a\uFEFFb' }],
  ['[]', null],
  ['null', null],
  ['"text"', null],
  ['{"code":0', null],
  ['<html>', null],
  ['', null],
])('the body %j is an object or none', (body, json) => {
  expect(parseObject(Buffer.from(body))).toEqual(json)
})

test('any bytes are an object or none', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      const json = parseObject(Buffer.from(bytes))
      expect(json === null || (typeof json === 'object' && !Array.isArray(json))).toBe(true)
    }),
  )
  expect(parseObject(Buffer.from('['.repeat(1 << 20)))).toBeNull()
})

test.each<[unknown, number | null]>([
  [0, 0],
  ['0', 0],
  [20064, 20064],
  ['20064', 20064],
  ['2e4', null],
  ['-1', null],
  ['', null],
  [null, null],
  [true, null],
  [{}, null],
  [[5], null],
])('the code %j is %j', (code, number) => {
  expect(feishuCodeOf({ code })).toBe(number)
})

test('an answer that is no object has no code', () => {
  expect(feishuCodeOf(null)).toBeNull()
})

test('a log id is taken only if it looks like one', () => {
  expect(logIdOf({ 'x-tt-logid': '20260611160956E4DCC67C175F8E260603' })).toBe(
    '20260611160956E4DCC67C175F8E260603',
  )
  for (const id of ['', 'a b', 'x'.repeat(65), '<script>', 'a\u202e'])
    expect(logIdOf({ 'x-tt-logid': id })).toBeNull()
  expect(logIdOf({})).toBeNull()
})

test.each([
  'soon',
  '5',
  'garbage 5',
  '2026-01-01',
  'Thu, 01 Jan 2026 25:61:61 GMT',
  'on Thu, 01 Jan 2026 00:00:00 GMT',
  'Thu, 01 Jan 2026 00:00:00 GMT+0100',
])('%j is no date of HTTP', (value) => {
  expect(httpDate(value)).toBeNull()
})

describe('the time to wait', () => {
  const in90 = new Date(NOW + 90_000).toUTCString()

  test.each<[string, Record<string, string>, number | null]>([
    ['nothing', {}, null],
    ["Feishu's header", { 'x-ogw-ratelimit-reset': '7' }, 7_000],
    ["Feishu's header before Retry-After", { 'x-ogw-ratelimit-reset': '7', 'retry-after': '9' }, 7_000],
    ['seconds', { 'retry-after': ' 2 ' }, 2_000],
    ['two minutes', { 'retry-after': '120' }, 120_000],
    ['a part of a second', { 'retry-after': '0.25' }, 250],
    ['no time at all', { 'retry-after': '0' }, 0],
    ['a date', { 'retry-after': in90 }, 90_000],
    ['a date in the past', { 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }, 0],
    [
      "a date by the server's own clock",
      { 'retry-after': in90, date: new Date(NOW + 60_000).toUTCString() },
      30_000,
    ],
    ['a word', { 'retry-after': 'soon' }, null],
    ['a word with a number', { 'retry-after': 'garbage 5' }, null],
    ['less than nothing', { 'retry-after': '-1' }, null],
    ['a number without end', { 'retry-after': '9'.repeat(400) }, null],
    ['a broken header of Feishu and a good one', { 'x-ogw-ratelimit-reset': 'x', 'retry-after': '9' }, 9_000],
  ])('of %s', (_what, headers, ms) => {
    expect(retryAfterMs(headers, NOW)).toBe(ms)
  })

  test('of any header is a time or unknown', () => {
    const headers = fc.record({
      'retry-after': fc.string(),
      'x-ogw-ratelimit-reset': fc.string(),
      date: fc.string(),
    })
    fc.assert(
      fc.property(headers, (given) => {
        const ms = retryAfterMs(given, NOW)
        expect(ms === null || (ms >= 0 && Number.isFinite(ms))).toBe(true)
      }),
    )
  })
})
