// The build itself, run in copies of the project: what it makes, and what it refuses to make.

import { execFile } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { makeFolder } from '../support/folder.ts'

/** A copy of what the build reads, in a folder of that name; its packages are the project's own. */
function copyProject(name: string): string {
  const folder = join(makeFolder(), name)
  mkdirSync(folder, { recursive: true })
  for (const part of ['scripts', 'src', 'package.json', 'tsconfig.json']) {
    cpSync(part, join(folder, part), { recursive: true })
  }
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'))
  return folder
}

async function build(folder: string): Promise<Map<string, string>> {
  await promisify(execFile)(process.execPath, ['scripts/build.mjs'], { cwd: folder })
  const files = readdirSync(join(folder, 'dist'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    // For the Node of this machine alone, and never packed.
    .filter((file) => !file.startsWith(join(folder, 'dist', 'cache')))
  return new Map(files.map((file) => [file.slice(folder.length + 1), readFileSync(file, 'latin1')]))
}

test('two builds in two folders give the same bytes, and none of them names a folder', async () => {
  const folders = [copyProject('one'), copyProject('another/and/deeper')]
  const [first, second] = await Promise.all(folders.map(build))
  expect(first?.has('dist/main.js')).toBe(true)
  expect([...(first?.keys() ?? [])].sort()).toEqual([...(second?.keys() ?? [])].sort())
  for (const [file, bytes] of first ?? []) {
    expect(second?.get(file) === bytes, `${file} differs`).toBe(true)
    for (const place of [...folders, process.cwd()])
      expect(bytes.includes(place), `${file} names ${place}`).toBe(false)
  }
})

test('the licence of every package with code in the bundle is there with its text, and of no other', async () => {
  const files = await build(copyProject('licences'))
  const text = files.get('dist/THIRD-PARTY-LICENSES.txt') ?? ''
  const sections = text.split(/^={80}\n/m).slice(1)
  const named = sections.map((section) => /^(\S+) (\d\S*) \(/.exec(section)?.slice(1) ?? [section])
  for (const [name = '', version] of named) {
    expect(JSON.parse(readFileSync(join('node_modules', name, 'package.json'), 'utf8')).version).toBe(version)
  }
  const names = named.map(([name]) => name)
  expect(names).toEqual(
    expect.arrayContaining(['@modelcontextprotocol/sdk', 'ajv', 'fs-native-extensions', 'undici', 'zod']),
  )
  // Installed as packages of their own, or not at all.
  for (const absent of ['@napi-rs/keyring', 'esbuild', 'typescript']) {
    expect(names).not.toContain(absent)
  }
  for (const section of sections) expect(section).toMatch(/permission/i)
})

test('what is packed was built then: a stale program and a missing one are never shipped', async () => {
  const folder = copyProject('released')
  for (const part of ['.npmrc', 'README.md', 'LICENSE', 'CHANGELOG.md', 'mcp.json.example'])
    cpSync(part, join(folder, part))
  mkdirSync(join(folder, 'dist'))
  writeFileSync(join(folder, 'dist', 'main.js'), 'stale')
  const packed = async (...command: string[]) => {
    await promisify(execFile)('npm', command, { cwd: folder })
    const name = readdirSync(folder).find((file) => file.endsWith('.tgz')) ?? ''
    const args = ['-xzOf', name, 'package/dist/main.js']
    const { stdout } = await promisify(execFile)('tar', args, { cwd: folder, maxBuffer: 2 ** 24 })
    rmSync(join(folder, name))
    return stdout
  }
  expect(await packed('pack'), 'the control').toBe('stale')
  const program = await packed('run', 'package')
  expect(program).toContain('#!/usr/bin/env node')
  expect(program).toBe(readFileSync(join(folder, 'dist', 'main.js'), 'utf8'))
})

test('a bundled package without the text of its licence ends the build', async () => {
  const folder = copyProject('unlicensed')
  const packages = join(folder, 'node_modules')
  rmSync(packages)
  mkdirSync(packages)
  for (const name of readdirSync('node_modules')) {
    if (name !== 'uqr' && !name.startsWith('.'))
      symlinkSync(resolve('node_modules', name), join(packages, name))
  }
  cpSync('node_modules/uqr', join(packages, 'uqr'), { recursive: true })
  expect(existsSync(join(packages, 'uqr', 'LICENSE'))).toBe(true)
  await build(folder)
  rmSync(join(packages, 'uqr', 'LICENSE'))
  await expect(build(folder)).rejects.toThrow(/uqr [\d.]+ is bundled and comes without a licence text/)
})
