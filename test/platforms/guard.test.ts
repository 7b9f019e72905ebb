// What is too old for the program, or no Node at all, is told so in one sentence. OTHER_RUNTIMES: paths of such programs.

import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/folder.ts'
import { testIf } from '../support/needs.ts'
import { PROGRAM } from '../support/program.ts'

const { engines } = JSON.parse(readFileSync('package.json', 'utf8'))
const OLDEST = engines.node.replace('>=', '')

/** How the program ends, as MCP server or with a command, and all that it says. */
function start(runtime: string, args: string[], env: Record<string, string> = {}): [number | null, string] {
  const { status, stdout, stderr } = spawnSync(runtime, args, { env, input: '', encoding: 'utf8' })
  return [status, stdout + stderr]
}

/** A module that makes this Node pass for another version, or for another runtime. */
function passingFor(versions: Record<string, string>): string[] {
  const path = join(makeFolder(), 'versions.cjs')
  const given = `{ ...process.versions, ...${JSON.stringify(versions)} }`
  writeFileSync(path, `Object.defineProperty(process, 'versions', { value: ${given} })`)
  return ['--require', path]
}

test.each([
  ['Node 18.20.8', { node: '18.20.8' }],
  ['Node 20.9.0', { node: '20.9.0' }],
  ['Node 20.18.0', { node: '20.18.0' }],
  ['Bun 1.4.5', { bun: '1.4.5', node: '24.3.0' }],
  ['Deno 2.9.6', { deno: '2.9.6', node: '24.2.0' }],
])('%s is refused with its path and what to write', (name, versions) => {
  const args = [...passingFor(versions), PROGRAM]
  const sentence = `feishu-token-mcp needs Node ${OLDEST} or newer, but ${name} (${process.execPath}) started it: write the path of a newer Node as "command" in the client.\n`
  expect(start(process.execPath, args)).toEqual([2, sentence])
  expect(start(process.execPath, [...args, '--version'], { LANG: 'zh_CN.UTF-8' })).toEqual([
    2,
    expect.stringContaining(`需要 Node ${OLDEST} 或更新版本，但启动它的是 ${name}`),
  ])
})

test.each([OLDEST, '20.19.0', '22.0.0', '26.1.0'])('Node %s is not', (node) => {
  expect(start(process.execPath, [...passingFor({ node }), PROGRAM, '--version'])[0]).toBe(0)
})

const others = (process.env.OTHER_RUNTIMES ?? '').split(delimiter).filter(Boolean)
const MISSING = others.length > 0 ? null : 'OTHER_RUNTIMES names no old Node, no Bun and no Deno'

testIf(MISSING)('what cannot run the program reads it far enough to say so', () => {
  for (const runtime of others) {
    const words = runtime.endsWith('deno') ? ['run', '--allow-all', PROGRAM] : [PROGRAM]
    for (const args of [words, [...words, 'status']]) {
      const [code, text] = start(runtime, args)
      expect(text).toMatch(
        /^feishu-token-mcp needs Node \S+ or newer, but .* started it: .*"command" in the client\.\n$/,
      )
      expect(code).toBe(2)
    }
  }
})
