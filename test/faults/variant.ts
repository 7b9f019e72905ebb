// Builds of the program with one protection taken out: a test that passes with them too proves nothing.

import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { build } from 'esbuild'

/** Replaces `from`, which must stand in the file exactly once. */
export type Patch = { file: string; from: string; to: string }

const ROOT = resolve('.')
const built = new Map<string, Promise<string>>()

function applyPatches(path: string, patches: readonly Patch[]): string {
  let text = readFileSync(path, 'utf8')
  for (const { file, from, to } of patches) {
    if (relative(ROOT, path) !== file) continue
    if (text.split(from).length !== 2) throw new Error(`${file} does not hold this once: ${from}`)
    text = text.replace(from, () => to)
  }
  return text
}

async function bundle(name: string, patches: readonly Patch[]): Promise<string> {
  const outdir = join(ROOT, 'node_modules', '.cache', 'faults', name)
  await build({
    absWorkingDir: ROOT,
    entryPoints: ['src/main.ts'],
    outdir,
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node20.18',
    mainFields: ['module', 'main'],
    external: ['fs-native-extensions', '@napi-rs/keyring', 'pg'],
    chunkNames: 'chunks/[name]-[hash]',
    banner: {
      js: "import { createRequire as nodeCreateRequire } from 'node:module';const require = nodeCreateRequire(import.meta.url);",
    },
    define: { VERSION: '"0.0.0"' },
    logLevel: 'error',
    plugins: [
      {
        name: 'patches',
        setup(plugin) {
          for (const file of new Set(patches.map((patch) => patch.file))) {
            const filter = new RegExp(`${file.replaceAll(/[./]/g, '\\$&')}$`)
            plugin.onLoad({ filter }, ({ path }) => ({ contents: applyPatches(path, patches), loader: 'ts' }))
          }
        },
      },
    ],
  })
  return join(outdir, 'main.js')
}

/** Builds a variant of the program, once; resolves to the file to start. */
export function buildVariant(name: string, patches: readonly Patch[] = []): Promise<string> {
  const known = built.get(name) ?? bundle(name, patches)
  built.set(name, known)
  return known
}
