// JSON schemas that know the type of what they describe, so that the compiler holds a tool's schema and its answer together.

import type { InJson } from '../answers.ts'

declare const VALUE: unique symbol

export type JsonSchema = {
  readonly type: string | readonly string[]
  readonly description: string
  readonly enum?: readonly string[]
  readonly pattern?: string
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly items?: object
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: false
}

/** The schema of exactly the values of a type, no wider and no narrower. */
export type Schema<Value> = JsonSchema & { readonly [VALUE]?: (value: Value) => Value }

/** A schema for each field of an answer. */
export type FieldsOf<Answer> = { readonly [Name in keyof Answer]-?: Schema<InJson<Answer[Name]>> }

/** An object that has the fields named, and no others. */
export type ObjectSchema = {
  readonly type: 'object'
  readonly properties: Readonly<Record<string, JsonSchema>>
  readonly required?: string[]
  readonly additionalProperties: false
}

/** Of a tool's arguments, all of which may be left out. */
export function openTo(properties: Readonly<Record<string, JsonSchema>>): ObjectSchema {
  return { type: 'object', properties, additionalProperties: false }
}

/** Of a tool's answer, in which every field is there. */
export function closed(properties: Readonly<Record<string, JsonSchema>>): ObjectSchema {
  return { ...openTo(properties), required: Object.keys(properties) }
}

export function text(description: string): Schema<string> {
  return { type: 'string', description }
}

export function textOrNull(description: string): Schema<string | null> {
  return { type: ['string', 'null'], description }
}

export function flag(description: string): Schema<boolean> {
  return { type: 'boolean', description }
}

export function flagOrNull(description: string): Schema<boolean | null> {
  return { type: ['boolean', 'null'], description }
}

export function count(description: string): Schema<number> {
  return { type: 'integer', description }
}

export function countOrNull(description: string): Schema<number | null> {
  return { type: ['integer', 'null'], description }
}

export function texts(description: string): Schema<string[]> {
  return { type: 'array', items: { type: 'string' }, description }
}

/** One of the words that the type names; the compiler asks for all of them. */
export function word<Word extends string>(
  words: Readonly<Record<Word, true>>,
  description: string,
): Schema<Word> {
  return { type: 'string', enum: Object.keys(words), description }
}

/** The same, or null. */
export function wordOrNull<Word extends string>(
  words: Readonly<Record<Word, true>>,
  description: string,
): Schema<Word | null> {
  const choices = [...Object.keys(words), null] as readonly string[]
  return { type: ['string', 'null'], enum: choices, description }
}

export function listOf<Item>(fields: FieldsOf<Item>, description: string): Schema<InJson<Item>[]> {
  return { type: 'array', items: openTo(fields), description }
}

export function objectOf<Value>(fields: FieldsOf<Value>, description: string): Schema<InJson<Value>> {
  return { ...openTo(fields), description }
}

export function objectOrNull<Value>(
  fields: FieldsOf<Value>,
  description: string,
): Schema<InJson<Value> | null> {
  return { ...openTo(fields), type: ['object', 'null'], description }
}

/** A word that another field describes. */
export function sameWord<Word extends string | null>(description: string): Schema<Word> {
  return { type: ['string', 'null'], description }
}

/** A list whose items another tool describes: nothing is said twice. */
export function sameAs<Item>(description: string): Schema<InJson<Item>[]> {
  return { type: 'array', description }
}
