// Arguments as clients send them: what is left out may come as null, and a list as JSON text. What is refused names the
// argument, not its value, which may be anything.

import { CodedError } from '../errors.ts'
import { type Sentence, say } from '../sentence.ts'
import type { JsonSchema, Schema } from './schema.ts'

export type Arguments = Readonly<Record<string, JsonSchema>>
/** What was given; null: left out. */
export type Given<Named> = {
  [Name in keyof Named]: Named[Name] extends Schema<infer Value> ? Value | null : never
}

/** Longer is no name of ours, and not worth repeating. */
const NAME = /^\w{1,40}$/

/**
 * Reads a tool's arguments.
 *
 * @throws CodedError `config_invalid`, naming the argument that the schema refuses
 */
export function readArguments<Named extends Arguments>(
  tool: string,
  schemas: Named,
  given: unknown,
): Given<Named> {
  const values = parsed(given ?? {})
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw refused(say`The arguments of ${tool} must be an object.`, tool)
  }
  const unknown = Object.keys(values).find((name) => !Object.hasOwn(schemas, name))
  if (unknown !== undefined) {
    const named = NAME.test(unknown) ? `argument "${unknown}"` : 'argument of that name'
    throw refused(say`${tool} has no ${named}: it takes ${Object.keys(schemas).join(', ')}.`, tool)
  }
  const read = Object.entries(schemas).map(([name, schema]) => {
    const value = readValue(schema, (values as Record<string, unknown>)[name])
    if (value === null || fits(schema, value)) return [name, value]
    throw refused(say`The argument "${name}" of ${tool} must be ${wanted(schema)}.`, tool)
  })
  return Object.fromEntries(read) as Given<Named>
}

function refused(message: Sentence, tool: string): CodedError {
  return new CodedError('config_invalid', message, {
    nextStep: say`Call ${tool} again with that corrected or left out.`,
  })
}

/** No one means a profile, an address or a scope by the word: it is a null that was made text on the way. */
function readValue(schema: JsonSchema, value: unknown): unknown {
  if (value === undefined || value === null || value === 'null') return null
  return schema.type === 'array' ? parsed(value) : value
}

function parsed(value: unknown): unknown {
  if (typeof value !== 'string') return value
  try {
    return JSON.parse(value)
  } catch {
    return value
  }
}

type Limits = Pick<JsonSchema, 'type' | 'enum' | 'pattern' | 'maxLength' | 'minimum' | 'maximum' | 'items'>

function fits(schema: Limits, value: unknown): boolean {
  const {
    minimum = Number.MIN_SAFE_INTEGER,
    maximum = Number.MAX_SAFE_INTEGER,
    maxLength = 8192,
    pattern,
  } = schema
  if (schema.type === 'boolean') return typeof value === 'boolean'
  if (schema.type === 'integer') {
    return Number.isSafeInteger(value) && Number(value) >= minimum && Number(value) <= maximum
  }
  if (schema.type === 'array') {
    return Array.isArray(value) && value.every((item) => fits(schema.items as Limits, item))
  }
  if (typeof value !== 'string' || value.length > maxLength) return false
  return schema.enum ? schema.enum.includes(value) : !pattern || new RegExp(pattern).test(value)
}

function wanted({ type, enum: words, pattern, minimum, maximum, maxLength = 8192 }: Limits): string {
  if (type === 'boolean') return 'true or false'
  if (type === 'integer')
    return maximum === undefined ? 'a whole number' : `a whole number from ${minimum} to ${maximum}`
  if (type === 'array') return 'a list of texts'
  if (words) return words.map((word) => `"${word}"`).join(' or ')
  return pattern
    ? 'a name of small letters, digits, ".", "_" and "-", a letter or digit first'
    : `text of at most ${maxLength} characters`
}
