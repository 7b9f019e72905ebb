// The slash commands of clients: what a person asks the assistant for, in the words that lead it to the tools.

import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import {
  ErrorCode,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  McpError,
} from '@modelcontextprotocol/sdk/types.js'

const PROMPTS = [
  {
    name: 'reauthorize',
    title: 'Re-authorize Feishu',
    description: 'Log in at Feishu again and wait until it is done.',
    text:
      'Re-authorize Feishu: call start_authorization, show me the link, then call token_status with wait_seconds 45 ' +
      'until the authorization has ended. Tell me who is logged in and until when, or what went wrong and what to do.',
  },
  {
    name: 'check',
    title: 'Check the Feishu token',
    description: 'Is the Feishu token valid, and until when?',
    text:
      'Check my Feishu token: call token_status and tell me in two sentences whether it is valid, until when, and by ' +
      'when I must log in again. If it needs a refresh, call refresh_token and tell me the result.',
  },
] as const

/** Serves the prompts (docs/design.md). */
export function registerPrompts(server: Server): void {
  const prompts = PROMPTS.map(({ name, title, description }) => ({ name, title, description }))
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts }))
  server.setRequestHandler(GetPromptRequestSchema, ({ params }) => {
    const prompt = PROMPTS.find(({ name }) => name === params.name)
    if (!prompt) throw new McpError(ErrorCode.InvalidParams, 'There is no prompt of this name.')
    const { description, text } = prompt
    return { description, messages: [{ role: 'user', content: { type: 'text', text } }] }
  })
}
