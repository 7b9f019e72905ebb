// A tool as data: what it advertises, and how it answers. Whoever serves tools lists them and calls them by name.

import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { CallToolResult, Tool as Listing, ToolAnnotations } from '@modelcontextprotocol/sdk/types.js'
import { answerText, errorText, inJson } from '../answers.ts'
import type { Deps } from '../deps.ts'
import { CodedError, toCodedError } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import { type Arguments, type Given, readArguments } from './arguments.ts'
import { closed, type FieldsOf, openTo } from './schema.ts'

export type ToolContext = {
  /** Gives the dependencies, or throws why there are none (settings that cannot be used). */
  getDeps: () => Deps | Promise<Deps>
  /** What went wrong in a call, for stderr. */
  log: (error: unknown) => void
  /** A sentence as it is said to the person, who may read another language than the model. */
  forPerson: (sentence: Sentence) => Promise<string>
}

/** Who asks, and how its person is spoken to. */
export type Asker = { client: Server } & Pick<ToolContext, 'forPerson'>

export type Tool = {
  readonly listing: Listing
  /** Answers a call; the arguments are as the client sent them. */
  answer(deps: Deps, given: unknown, asker: Asker): Promise<object>
  /** The link in an answer that people scan with a phone; null: there is none. */
  scannedLink(answer: object): string | null
}

type Definition<Input extends Arguments, Answer extends object> = {
  name: string
  title: string
  description: string
  annotations: ToolAnnotations
  input: Input
  output: FieldsOf<Answer>
  answer: (deps: Deps, given: Given<Input>, asker: Asker) => Promise<Answer>
  scannedLink?: (answer: Answer) => string | null
}

const UNLISTED: readonly string[] = ['pattern', 'maxLength']

/** Defines a tool whose schema and answer the compiler has compared. */
export function defineTool<Input extends Arguments, Answer extends object>(
  tool: Definition<Input, Answer>,
): Tool {
  const { name, title, description, annotations, input, output } = tool
  const listing = {
    name,
    title,
    description,
    inputSchema: openTo(input),
    outputSchema: closed(output),
    annotations,
  }
  return {
    // What is too long, or no name of ours, is refused with a sentence: the model need not read the rules with each start.
    listing: JSON.parse(
      JSON.stringify(listing, (key, value) => (UNLISTED.includes(key) ? undefined : value)),
    ),
    answer: (deps, given, asker) => tool.answer(deps, readArguments(name, input, given), asker),
    scannedLink: (answer) => tool.scannedLink?.(answer as Answer) ?? null,
  }
}

/** A call as the client sent it. */
export type ToolCall = { name?: unknown; arguments?: unknown }

/**
 * Calls one of the tools. Clients hand the model the structured form or the text: each carries everything, the next
 * step first.
 */
export async function callTool(
  tools: readonly Tool[],
  { getDeps, log, forPerson }: ToolContext,
  client: Server,
  { name, arguments: given }: ToolCall = {},
): Promise<CallToolResult> {
  try {
    const tool = tools.find(({ listing }) => listing.name === name)
    if (!tool) throw noSuchTool(tools)
    const answer = inJson(await tool.answer(await getDeps(), given, { client, forPerson })) as Record<
      string,
      unknown
    >
    const link = tool.scannedLink(answer)
    const content: CallToolResult['content'] = [{ type: 'text', text: answerText(answer) }]
    if (link !== null) {
      const { drawQrCode } = await import('./picture.ts')
      content.push({ type: 'image', data: drawQrCode(link).toString('base64'), mimeType: 'image/png' })
    }
    return { structuredContent: answer, content }
  } catch (error) {
    log(error)
    return { isError: true, content: [{ type: 'text', text: String(errorText(toCodedError(error))) }] }
  }
}

function noSuchTool(tools: readonly Tool[]): CodedError {
  const names = tools.map(({ listing }) => listing.name).join(', ')
  return new CodedError('config_invalid', say`There is no tool of this name.`, {
    nextStep: say`Call one of ${names}.`,
  })
}
