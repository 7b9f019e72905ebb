import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { comesFromPage, endToEnd, findKey, upstreamHeaders } from '../../src/gateway/rewrite.ts'

const KEY = 'u-0123456789'

describe('who sends', () => {
  test.each([
    [{}, false],
    [{ 'user-agent': 'axios/1.7' }, false],
    [{ 'sec-fetch-mode': 'cors' }, false],
    [{ origin: 'https://evil.example' }, true],
    [{ origin: 'null' }, true],
    [{ origin: '' }, true],
    [{ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'cors' }, true],
    [{ 'sec-fetch-site': 'none', 'sec-fetch-mode': 'navigate' }, true],
    [{ 'sec-fetch-mode': 'no-cors' }, true],
    [{ 'sec-fetch-dest': 'image' }, true],
  ])('%j comes from a page: %s', (headers, expected) => {
    expect(comesFromPage(headers)).toBe(expected)
  })
})

describe('the credential', () => {
  test.each([
    [{}, []],
    [{ authorization: '' }, []],
    [{ authorization: 'Bearer t-g1044abc' }, []],
    [{ authorization: `Bearer ${KEY}` }, ['authorization']],
    [{ authorization: `bEARER   ${KEY} ` }, ['authorization']],
    [{ 'x-lark-mcp-uat': KEY }, ['x-lark-mcp-uat']],
    [{ 'x-lark-mcp-uat': '' }, []],
    [{ authorization: `Bearer ${KEY}`, 'x-lark-mcp-uat': KEY }, ['authorization', 'x-lark-mcp-uat']],
    [{ authorization: 'Bearer t-g1044abc', 'x-lark-mcp-uat': KEY }, ['x-lark-mcp-uat']],
    [{ authorization: `Bearer ${KEY}x` }, null],
    [{ authorization: `Bearer ${KEY.slice(0, -1)}` }, null],
    [{ authorization: `Bearer ${KEY.toUpperCase()}` }, null],
    [{ authorization: 'Bearer eyJhbGciOiJFUzI1NiIs.a.b' }, null],
    [{ authorization: 'Bearer u-other' }, null],
    [{ authorization: 'Bearer ' }, null],
    [{ authorization: KEY }, null],
    [{ authorization: `Basic ${KEY}` }, null],
    [{ authorization: 'Basic dDp4' }, null],
    [{ authorization: `Bearer ${KEY}, Bearer ${KEY}` }, null],
    [{ authorization: `Bearer ${KEY}`, 'x-lark-mcp-uat': 'u-other' }, null],
    [{ 'x-lark-mcp-uat': `Bearer ${KEY}` }, null],
  ])('%j: the key is in %j', (headers, expected) => {
    expect(findKey(headers, KEY)).toEqual(expected)
  })

  test('the token takes the place of the key and of nothing else', () => {
    const headers = { authorization: `Bearer ${KEY}`, 'x-lark-mcp-uat': KEY, 'x-note': KEY }
    expect(upstreamHeaders(headers, ['authorization', 'x-lark-mcp-uat'], 'secret')).toEqual({
      authorization: 'Bearer secret',
      'x-lark-mcp-uat': 'secret',
      'x-note': KEY,
    })
    expect(headers.authorization).toBe(`Bearer ${KEY}`)
  })
})

describe('headers of one connection', () => {
  test('the fixed set, all of Proxy-*, and what Connection names end at the gateway', () => {
    const headers = {
      connection: 'Keep-Alive , X-Mine,close',
      'keep-alive': 'timeout=5',
      te: 'trailers',
      trailer: 'x-sum',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      'http2-settings': 'AAMAAABk',
      'proxy-authorization': 'Basic x',
      'proxy-connection': 'keep-alive',
      'x-mine': '1',
      'x-kept': '2',
      'set-cookie': ['a=1', 'b=2'],
    }
    expect(endToEnd(headers)).toEqual({ 'x-kept': '2', 'set-cookie': ['a=1', 'b=2'] })
  })

  test('Host and Expect are not sent on: undici writes the one, the gateway answers the other', () => {
    const headers = { host: '127.0.0.1:9', expect: '100-continue', accept: '*/*' }
    expect(upstreamHeaders(headers, [], '')).toEqual({ accept: '*/*' })
  })

  test('whatever Connection names is gone and everything else is left as it was', () => {
    const name = fc.stringMatching(/^x-[a-z]{1,8}$/)
    fc.assert(
      fc.property(fc.dictionary(name, fc.string()), fc.array(name), (headers, named) => {
        const kept = endToEnd({ ...headers, connection: named.join(', ') })
        const expected = Object.entries(headers).filter(([key]) => !named.includes(key))
        expect(kept).toEqual(Object.fromEntries(expected))
      }),
    )
  })
})
