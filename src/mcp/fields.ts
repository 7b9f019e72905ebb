// Arguments and fields that several tools share.

import type { ToolAnnotations } from '@modelcontextprotocol/sdk/types.js'
import { PROFILE_NAME } from '../profile.ts'
import { type Schema, text } from './schema.ts'

/** The annotations of a tool that asks Feishu and changes what is stored, without destroying anything. */
export const CHANGES_STATE: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: true,
}

export const profileInput: Schema<string> = {
  type: 'string',
  pattern: PROFILE_NAME.source,
  description: 'Which account; default: as configured.',
}

export const profileOutput: Schema<string> = text('Which account.')

export const nextStepOutput: Schema<string> = text('What to do next.')
