// Runs one TypeScript program of this repository: bundles it (packages stay outside) and imports the result.
// Usage: node scripts/run.mjs FILE.ts [ARG …]
import { mkdirSync, rmSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { buildSync } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [file] = process.argv.splice(2, 1)
const folder = join(root, 'node_modules', '.cache', 'run')
mkdirSync(folder, { recursive: true })
const outfile = join(folder, `${basename(file, '.ts')}-${process.pid}.mjs`)
buildSync({
  entryPoints: [resolve(file)],
  outfile,
  bundle: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20',
  define: { NATIVE_FOLDER: JSON.stringify(join(root, 'node_modules/fs-native-extensions/prebuilds')) },
  sourcemap: 'inline',
  logLevel: 'warning',
})
process.on('exit', () => rmSync(outfile, { force: true }))
process.argv[1] = outfile
await import(pathToFileURL(outfile).href)
