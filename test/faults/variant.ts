// Builds of the program with one protection taken out: a test that passes with them too proves nothing.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Replaces `from`, which must stand in the file exactly once. */
export type Patch = { file: string; from: string; to: string }

const ROOT = resolve('.')
/** The program itself, as it was built. */
export const WHOLE: string = join(ROOT, 'dist', 'main.js')

/** Below the project, so that packages are found; a folder in it for each process. */
const VARIANTS = join(ROOT, 'node_modules', '.cache', 'faults')
const built = new Map<string, Promise<string>>()

function applyPatch(folder: string, { file, from, to }: Patch): void {
  const path = join(folder, file)
  const text = readFileSync(path, 'utf8')
  if (text.split(from).length !== 2) throw new Error(`${file} does not hold this once: ${from}`)
  writeFileSync(
    path,
    text.replace(from, () => to),
  )
}

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

function removeAbandoned(): void {
  mkdirSync(VARIANTS, { recursive: true })
  const abandoned = readdirSync(VARIANTS).filter((pid) => !isRunning(Number(pid)))
  for (const pid of abandoned) rmSync(join(VARIANTS, pid), { recursive: true, force: true })
}

/** Builds a copy of the sources in the way the program itself is built. */
async function bundle(name: string, patches: readonly Patch[]): Promise<string> {
  removeAbandoned()
  const folder = join(VARIANTS, String(process.pid), name)
  for (const part of ['src', 'scripts', 'package.json']) {
    cpSync(join(ROOT, part), join(folder, part), { recursive: true })
  }
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'dir')
  for (const patch of patches) applyPatch(folder, patch)
  const build = spawn(process.execPath, [join(folder, 'scripts', 'build.mjs')], { stdio: 'inherit' })
  const [code] = await once(build, 'close')
  if (code !== 0) throw new Error(`the variant ${name} cannot be built`)
  return join(folder, 'dist', 'main.js')
}

/** Builds a variant of the program, once; resolves to the file to start. */
export function buildVariant(name: string, patches: readonly Patch[]): Promise<string> {
  const known = built.get(name) ?? bundle(name, patches)
  built.set(name, known)
  return known
}
