// server.json, by which the MCP Registry knows the server, against the package and against the program.
// The forms are those of the registry's schema 2025-12-11, as far as this file uses them.

import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { readConfig } from '../../src/config/config.ts'

const environmentVariable = z.strictObject({
  name: z.string().regex(/^FEISHU_[A-Z_]+$/),
  description: z.string().min(1),
  isRequired: z.boolean(),
  isSecret: z.boolean(),
  format: z.enum(['string', 'number', 'boolean', 'filepath']),
  default: z.string().optional(),
  placeholder: z.string().optional(),
  choices: z.array(z.string()).min(2).optional(),
})
const document = z.strictObject({
  $schema: z.literal('https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json'),
  name: z
    .string()
    .max(200)
    .regex(/^io\.github\.[a-zA-Z0-9-]+\/[a-zA-Z0-9._-]+$/),
  title: z.string().min(1).max(100),
  description: z.string().min(1).max(100),
  version: z.string().regex(/^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/),
  packages: z.tuple([
    z.strictObject({
      registryType: z.literal('npm'),
      identifier: z.string(),
      version: z.string(),
      runtimeHint: z.literal('npx'),
      transport: z.strictObject({ type: z.literal('stdio') }),
      environmentVariables: z.array(environmentVariable),
    }),
  ]),
})

const server = document.parse(JSON.parse(readFileSync('server.json', 'utf8')))
const [npm] = server.packages
const packageJson = JSON.parse(readFileSync('package.json', 'utf8'))
const read = (env: Record<string, string>) => readConfig(env, '/home/somebody', 'linux')

test('name and versions are those of the package', () => {
  expect(server.name).toBe(packageJson.mcpName)
  expect(npm.identifier).toBe(packageJson.name)
  expect([server.version, npm.version]).toEqual([packageJson.version, packageJson.version])
  const lock = JSON.parse(readFileSync('package-lock.json', 'utf8'))
  expect([lock.version, lock.packages[''].version]).toEqual([packageJson.version, packageJson.version])
})

test('it names each setting of ours that a person may set, and no other', () => {
  const asked = new Set<string>()
  const spy = new Proxy({} as Record<string, string>, {
    get: (_, name) => void asked.add(String(name)),
  })
  readConfig(spy, '/home/somebody', 'linux')
  const ours = [...asked].filter((name) => name.startsWith('FEISHU_'))
  // `exec` alone sets it, for its child.
  const settable = ours.filter((name) => name !== 'FEISHU_TOKEN_GATEWAY')
  expect(npm.environmentVariables.map(({ name }) => name).sort()).toEqual(settable.sort())
})

test('with nothing set the server starts, so nothing is required', () => {
  expect(() => read({})).not.toThrow()
  expect(npm.environmentVariables.filter(({ isRequired }) => isRequired)).toEqual([])
})

test('what may hold a secret is marked, as the program itself hides it from its helpers', () => {
  const source = readFileSync('src/process/environment.ts', 'utf8')
  const [, list = ''] = /SECRET_VARIABLES = \[([^\]]*)\]/.exec(source) ?? []
  const hidden = [...list.matchAll(/'(\w+)'/g)].map(([, name = '']) => name)
  expect(hidden).toContain('FEISHU_APP_SECRET')
  for (const { name, isSecret } of npm.environmentVariables)
    expect(isSecret, name).toBe(hidden.includes(name))
})

test('the defaults are those of the program', () => {
  const defaults = npm.environmentVariables.filter((variable) => variable.default !== undefined)
  expect(defaults.length).toBeGreaterThan(10)
  for (const { name, default: value = '' } of defaults)
    expect(read({ [name]: value }), name).toEqual(read({}))
})

test('each choice can be set, and no other word', () => {
  const chosen = npm.environmentVariables.filter(({ choices }) => choices)
  expect(chosen.length).toBeGreaterThan(5)
  for (const { name, choices = [] } of chosen) {
    for (const choice of choices) expect(() => read({ [name]: choice }), `${name}=${choice}`).not.toThrow()
    expect(() => read({ [name]: 'something-else' }), name).toThrow(name)
  }
})
