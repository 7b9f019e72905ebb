import { format, inspect } from 'node:util'
import { expect, test } from 'vitest'
import { Secret } from '../src/secret.ts'

const secret = new Secret('canary-4711')

test('a secret gives its value to reveal alone', () => {
  expect(secret.reveal()).toBe('canary-4711')
})

test.each<[string, () => string]>([
  ['a template', () => `${secret}`],
  ['string addition', () => `x${String(secret)}`],
  ['JSON', () => JSON.stringify({ secret })],
  ['inspect', () => inspect({ secret })],
  ['inspect with all that is hidden', () => inspect({ secret }, { showHidden: true, depth: null })],
  ['%s', () => format('%s', secret)],
  ['%o', () => format('%o', secret)],
  ['%j', () => format('%j', secret)],
])('%s shows [secret]', (_how, show) => {
  expect(show()).toContain('[secret]')
  expect(show()).not.toContain('canary')
})

test.each<[string, () => string]>([
  ['inspect without custom forms', () => inspect(secret, { customInspect: false, showHidden: true })],
  ['a copy of its members', () => JSON.stringify({ ...secret })],
  ['its property names', () => JSON.stringify(Object.getOwnPropertyNames(secret))],
  ['a structured clone', () => inspect(structuredClone(secret))],
  ['an error that holds it', () => inspect(new Error('no', { cause: { secret } }))],
])('%s does not show it', (_how, show) => {
  expect(show()).not.toContain('canary')
})
