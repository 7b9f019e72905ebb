// A client of a server in this process, without a transport that could hide anything.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { InMemoryTransport } from '@modelcontextprotocol/sdk/inMemory.js'
import type { CallToolResult, Tool } from '@modelcontextprotocol/sdk/types.js'
import { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv-provider.js'
import type { JsonSchemaType } from '@modelcontextprotocol/sdk/validation/types.js'
import { expect, onTestFinished } from 'vitest'
import type { Deps } from '../../src/deps.ts'
import { serve } from '../../src/mcp/server.ts'
import type { Sentence } from '../../src/sentence.ts'
import { type Answer, readAnswer } from './contract.ts'
import { HANGS_MS } from './patience.ts'

export type Connection = {
  client: Client
  tools: Map<string, Tool>
  /** Calls a tool; its answer is proved to be what the contract and the advertised schema say. */
  call: (name: string, args?: Record<string, unknown>) => Promise<Answer>
}

/** Connects a client to a server in this process; both end with the test. */
export async function connect(
  getDeps: () => Deps,
  client: Client = new Client({ name: 'test', version: '1.0.0' }),
): Promise<Connection> {
  const [clientSide, serverSide] = InMemoryTransport.createLinkedPair()
  const context = {
    getDeps,
    log: () => undefined,
    forPerson: async (sentence: Sentence) => String(sentence),
    version: '1.2.3',
    onInitialized: () => undefined,
  }
  const server = await serve(serverSide, context)
  await client.connect(clientSide)
  onTestFinished(() => server.close())
  const { tools } = await client.listTools()
  const byName = new Map(tools.map((tool) => [tool.name, tool]))
  return {
    client,
    tools: byName,
    async call(name, args = {}) {
      const answer = readAnswer(
        (await client.callTool({ name, arguments: args }, undefined, {
          timeout: HANGS_MS,
        })) as CallToolResult,
      )
      const problem = answer.isError ? undefined : outputProblem(byName.get(name), answer.data)
      expect(problem, answer.text).toBeUndefined()
      return answer
    },
  }
}

/** What is wrong with a structured answer by the schema that the tool advertises; undefined: nothing. */
export function outputProblem(tool: Tool | undefined, data: unknown): string | undefined {
  const schema = tool?.outputSchema as JsonSchemaType
  return new AjvJsonSchemaValidator().getValidator(schema)(data).errorMessage
}
