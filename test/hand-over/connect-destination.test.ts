import { expect, test } from 'vitest'
import { headersOf, readRemote } from '../../src/hand-over/connect-destination.ts'
import { readMcpUrl } from '../../src/hand-over/hosted.ts'

function headersTo(
  address: string,
  headers: string[] = [],
  mcpUrl: string | null = null,
): Record<string, string> {
  return headersOf(readRemote('feishu-token-mcp', readMcpUrl(address), { headers, mcpUrl }), 'secret')
}

test.each([
  'https://mcp.feishu.cn/mcp',
  'https://mcp.larksuite.com/mcp',
  'https://a.b.feishu.cn:8443/x',
  'http://127.0.0.1:9/mcp',
  'http://localhost:9/mcp',
  'http://[::1]:9/mcp',
])('to %s the token goes in its own header', (address) => {
  expect(headersTo(address)).toEqual({ 'X-Lark-MCP-UAT': 'secret' })
})

test.each([
  'https://feishu.cn.example.com/mcp',
  'https://notfeishu.cn/mcp',
  'https://mcp.example.com/mcp',
  'https://example.com/feishu.cn',
])('to %s it does not go by itself', (address) => {
  expect(headersTo(address)).toEqual({})
  expect(headersTo(address, ['Authorization=Bearer {token}', 'X-Team=a={b']).Authorization).toBe(
    'Bearer secret',
  )
  expect(headersTo(address, ['X-Team=a={b'])).toEqual({ 'X-Team': 'a={b' })
})

test('to the host that FEISHU_MCP_URL names it goes, and to no other port of it', () => {
  const setting = 'https://mcp.example.com/mcp'
  expect(headersTo('https://mcp.example.com/other', [], setting)).toEqual({ 'X-Lark-MCP-UAT': 'secret' })
  expect(headersTo('https://mcp.example.com:8443/mcp', [], setting)).toEqual({})
})

test.each([
  'X-Name=中文',
  'X-Name=a\u0001b',
  'X-Name=a\nb',
  'Expect=100-continue',
  'Upgrade=h2c',
  'Accept-Encoding=br',
])('a header that could not be sent (%j) is refused before anything is', (header) => {
  expect(() => headersTo('https://mcp.example.com/mcp', [header])).toThrow(/^--header takes NAME=VALUE/)
})
