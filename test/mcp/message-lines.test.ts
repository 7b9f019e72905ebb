import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMessageLines } from '../../src/mcp/message-lines.ts'
import { heldMebibytes } from '../support/garbage.ts'

/** Feeds chunks and collects what is passed on and what is answered. */
async function feed(
  chunks: (string | Buffer)[],
): Promise<{ passed: string[]; answered: Record<string, unknown>[] }> {
  const answered: Record<string, unknown>[] = []
  const lines = createMessageLines((line) => void answered.push(JSON.parse(line)))
  for (const chunk of chunks) lines.write(chunk)
  lines.end()
  const passed: string[] = []
  for await (const line of lines) passed.push(String(line))
  return { passed, answered }
}

const ping = '{"jsonrpc":"2.0","id":1,"method":"ping"}'

test('messages pass, however they are cut into chunks', async () => {
  const text = `${ping}\n{"jsonrpc":"2.0","method":"notifications/initialized"}\r\n\n{"jsonrpc":"2.0","id":"é","result":{}}\n`
  const bytes = Buffer.from(text)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (cuts) => {
      const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
      const chunks = edges.slice(1).map((end, index) => bytes.subarray(edges[index], end))
      const { passed, answered } = await feed(chunks)
      expect(passed.join('')).toBe(text.replace('\r', '').replace('\n\n', '\n'))
      expect(answered).toEqual([])
    }),
    { numRuns: 50 },
  )
})

test.each([
  ['not json', { code: -32700 }, undefined],
  ['{"jsonrpc":"2.0","id":', { code: -32700 }, undefined],
  ['[{"jsonrpc":"2.0","id":1,"method":"ping"}]', { code: -32600 }, undefined],
  ['null', { code: -32600 }, undefined],
  ['{"jsonrpc":"1.0","id":7,"method":"ping"}', { code: -32600 }, 7],
  ['{"id":"x","method":"ping"}', { code: -32600 }, 'x'],
  ['{"jsonrpc":"2.0","id":7,"method":"ping","params":[]}', { code: -32600 }, 7],
  ['{"jsonrpc":"2.0","id":7.5,"method":"ping"}', { code: -32600 }, 7.5],
  ['{"jsonrpc":"2.0","id":7,"method":"ping","more":1}', { code: -32600 }, 7],
  ['{"jsonrpc":"2.0","id":7,"method":"ping","params":{"_meta":{"progressToken":null}}}', { code: -32600 }, 7],
])('%s is answered with an error, and the next message passes', async (line, error, id) => {
  const { passed, answered } = await feed([`${line}\n${ping}\n`])
  expect(passed).toEqual([`${ping}\n`])
  expect(answered).toHaveLength(1)
  expect(answered[0]).toMatchObject({ jsonrpc: '2.0', error })
  expect(answered[0]?.id).toBe(id)
})

test('a member that is null is left out, and what has no answer is answered with nothing', async () => {
  const { passed, answered } = await feed([
    '{"jsonrpc":"2.0","id":1,"method":"ping","params":null}\n',
    '{"jsonrpc":"2.0","id":2,"error":null,"result":{"a":null}}\n',
    '{"jsonrpc":"2.0","id":3,"result":null}\n',
    '{"jsonrpc":"2.0","method":"notifications/initialized","params":null}\n',
    '{"jsonrpc":"2.0","method":"notifications/cancelled","params":[]}\n',
  ])
  const lines = passed.join('').trimEnd().split('\n')
  expect(lines.map((line) => JSON.parse(line))).toEqual([
    { jsonrpc: '2.0', id: 1, method: 'ping' },
    { jsonrpc: '2.0', id: 2, result: { a: null } },
    { jsonrpc: '2.0', id: 3 },
    { jsonrpc: '2.0', method: 'notifications/initialized' },
    { jsonrpc: '2.0', method: 'notifications/cancelled', params: [] },
  ])
  expect(answered).toEqual([])
})

test('a line of a gibibyte is thrown away as it comes, and the next message passes', async () => {
  const answered: string[] = []
  const lines = createMessageLines((line) => void answered.push(line))
  const before = await heldMebibytes()
  for (let mebibytes = 0; mebibytes < 1_024; mebibytes += 1) {
    lines.write(Buffer.alloc(1_048_576, 'x'))
    if (mebibytes % 128 === 127) expect((await heldMebibytes()) - before).toBeLessThan(64)
  }
  lines.end(`\n${ping}\n`)
  expect((await lines.toArray()).map(String)).toEqual([`${ping}\n`])
  expect(answered).toHaveLength(1)
})
