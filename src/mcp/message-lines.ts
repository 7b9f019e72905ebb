// What comes on stdin, line by line. The SDK drops a line that is no message without a word and ends the session when one
// is too long; a client that sends one gets a JSON-RPC error instead, and the next line is served as if nothing were.

import { Transform, type TransformCallback } from 'node:stream'
import { JSONRPCMessageSchema } from '@modelcontextprotocol/sdk/types.js'

/** No message for our own tools comes near; what is longer is thrown away as it comes. */
const MAX_LINE_BYTES = 4_194_304
/** JSON-RPC 2.0 §5.1. */
const PARSE_ERROR = -32700
const INVALID_REQUEST = -32600

type LineFault = { id?: string | number; code: number; message: string }

/** What a line is, without the members that are null: some clients write so what they leave out. */
function readLine(line: string): { message: string } | { fault: LineFault } {
  try {
    const json: unknown = JSON.parse(line)
    if (Array.isArray(json))
      return { fault: { code: INVALID_REQUEST, message: 'Batches are not supported.' } }
    const members = Object.entries(json ?? {})
    const given = members.filter(([, value]) => value !== null)
    const isAnswer = members.some(([name]) => name === 'result' || name === 'error')
    const fault = findFault(Object.fromEntries(given), isAnswer)
    if (fault) return { fault }
    return { message: given.length < members.length ? JSON.stringify(Object.fromEntries(given)) : line }
  } catch {
    return { fault: { code: PARSE_ERROR, message: 'This line is not JSON.' } }
  }
}

/** Why this is no message; null = it is one. An answer is never answered: its id is one of ours. */
function findFault(json: Record<string, unknown>, isAnswer: boolean): LineFault | null {
  const { jsonrpc, id, method } = json
  const known = !isAnswer && (typeof id === 'string' || typeof id === 'number') ? { id } : null
  if (jsonrpc === '2.0' && (typeof method === 'string' || isAnswer)) {
    // What has no answer the SDK may drop.
    if (!known || JSONRPCMessageSchema.safeParse(json).success) return null
  }
  return { ...known, code: INVALID_REQUEST, message: 'This is not a JSON-RPC 2.0 message.' }
}

/** Passes messages on and answers everything else through `answer`, which gets whole lines. */
export function createMessageLines(
  answer: (line: string) => void,
  maxBytes: number = MAX_LINE_BYTES,
): Transform {
  const tooLongFault = { code: INVALID_REQUEST, message: `A message has at most ${maxBytes} bytes.` }
  let chunks: Buffer[] = []
  let length = 0

  function answerFault({ id, code, message }: LineFault): void {
    const named = id === undefined ? {} : { id }
    answer(`${JSON.stringify({ jsonrpc: '2.0', ...named, error: { code, message } })}\n`)
  }

  function take(part: Buffer): void {
    length += part.length
    if (length <= maxBytes) chunks.push(part)
    else chunks = []
  }

  function endLine(stream: Transform): void {
    const line = Buffer.concat(chunks).toString('utf8').trim()
    const tooLong = length > maxBytes
    chunks = []
    length = 0
    if (line === '' && !tooLong) return
    const read = tooLong ? { fault: tooLongFault } : readLine(line)
    if ('fault' in read) answerFault(read.fault)
    else stream.push(`${read.message}\n`)
  }

  return new Transform({
    transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback) {
      let start = 0
      for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
        take(chunk.subarray(start, end))
        endLine(this)
        start = end + 1
      }
      if (start < chunk.length) take(chunk.subarray(start))
      done()
    },
  })
}
