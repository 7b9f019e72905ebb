import type { CallToolResult } from '@modelcontextprotocol/sdk/types.js'
import type { Deps } from '../deps.ts'
import type { Sentence } from '../sentence.ts'

export type ToolContext = {
  /** Gives the dependencies, or throws why there are none (settings that cannot be used). */
  getDeps: () => Deps | Promise<Deps>
  /** A sentence as it is said to the person, who may read another language than the model. */
  forPerson: (sentence: Sentence) => Promise<string>
  /** What went wrong in a call, for stderr. */
  log: (error: unknown) => void
}

/** Loaded with the first call and kept: importing again would copy all that it exports. */
let answers: Promise<typeof import('../answers.ts')> | null = null

/** An answer as a tool's result. Clients hand the model the structured form or the text: each carries everything. */
export async function toResult(
  { getDeps, log }: ToolContext,
  answer: (deps: Deps) => Promise<object>,
): Promise<CallToolResult> {
  answers ??= import('../answers.ts')
  const [{ answerText, errorText, inJson }, { toCodedError }] = await Promise.all([
    answers,
    import('../errors.ts'),
  ])
  try {
    const structuredContent = inJson(await answer(await getDeps())) as Record<string, unknown>
    return { structuredContent, content: [{ type: 'text', text: answerText(structuredContent) }] }
  } catch (error) {
    log(error)
    return { isError: true, content: [{ type: 'text', text: String(errorText(toCodedError(error))) }] }
  }
}
