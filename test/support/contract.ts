// What every answer of a tool must be, whatever it says (docs/design.md).

import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'

export type Answer = { isError: boolean; text: string; data: Record<string, unknown> }

/** One sentence: a period at the end, and no other sentence begins before. */
export function isOneSentence(text: string): boolean {
  return /^[^a-z].*[.]$/s.test(text) && !/[.!?] +[A-Z]/.test(text)
}

function checkFailure(text: string): void {
  if (!/^FAILED: .+ \[code=[a-z_]+ recovery=[a-z_]+( feishu_code=\d+)?( log_id=[\w-]+)?\]$/s.test(text)) {
    throw new Error(`not the form of a failure: ${text}`)
  }
}

/** Some clients show the model only the text, others only the structured form: each must carry the whole answer. */
function checkFacts({ text, data }: Answer): void {
  const lines = text.split('\n')
  for (const [name, value] of Object.entries(data)) {
    const shown = typeof value === 'string' ? value : JSON.stringify(value)
    if (!lines.includes(`${name}: ${shown}`)) throw new Error(`the text lacks ${name}: ${shown}\n${text}`)
    if (value === undefined) throw new Error(`${name} is absent`)
  }
  const [first, step] = Object.entries(data)[0] ?? []
  if (first !== 'next_step' || !text.startsWith('next_step: ')) throw new Error(`${first} comes first`)
  if (typeof step !== 'string' || !isOneSentence(step) || step.length > 300) {
    throw new Error(`not one sentence of at most 300 characters: ${step}`)
  }
}

/** Reads the result of a tool call, and proves that it has the form of the contract. */
export function readAnswer(result: CallToolResult): Answer {
  const [block, picture, ...more] = result.content
  if (block?.type !== 'text' || more.length > 0) throw new Error('an answer has one text block')
  if (picture && picture.type !== 'image') throw new Error('beside its text an answer has a picture alone')
  const answer = { isError: result.isError === true, text: block.text, data: result.structuredContent ?? {} }
  if (answer.isError) checkFailure(answer.text)
  else checkFacts(answer)
  return answer
}
