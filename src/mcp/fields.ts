// Fields that several tools share.

import type { ToolAnnotations } from '@modelcontextprotocol/sdk/types.js'
import * as z from 'zod'
import { PROFILE_NAME } from '../profile.ts'

/** The annotations of a tool that asks Feishu and changes what is stored, without destroying anything. */
export const CHANGES_STATE: ToolAnnotations = {
  readOnlyHint: false,
  destructiveHint: false,
  idempotentHint: false,
  openWorldHint: true,
}

export const profileInput: z.ZodOptional<z.ZodString> = z
  .string()
  .regex(PROFILE_NAME)
  .optional()
  .describe('Which of several stored accounts; leave out for the configured one ("default").')

export const profileOutput: z.ZodString = z.string().describe('The profile this is about.')

export const nextStep: z.ZodString = z
  .string()
  .describe('One sentence: the next tool or command to call, or that nothing is needed.')

export function time(what: string): z.ZodNullable<z.ZodString> {
  return z.string().nullable().describe(`${what} RFC 3339, UTC; null: unknown.`)
}

export function seconds(what: string): z.ZodNullable<z.ZodNumber> {
  return z.number().int().nullable().describe(`${what} Seconds; null: unknown.`)
}

const delivery = z.strictObject({
  target: z.string().describe('The target as written in FEISHU_DELIVER_TO.'),
  status: z
    .enum(['delivered', 'unchanged', 'drift', 'refused', 'failed'])
    .describe('drift: somebody changed the value by hand, so it was left alone.'),
  detail: z.string().describe('What was done, or why not.'),
  restart_required: z.boolean().describe('Whether the program that reads it must be restarted.'),
  restart_hint: z.string().nullable().describe('How to restart it; null: not needed.'),
})

export const deliveries: z.ZodType = z
  .array(delivery)
  .describe('What became of the copies for other programs (FEISHU_DELIVER_TO).')
