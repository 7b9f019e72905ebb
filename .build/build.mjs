// Bundles the program into dist/: one small entry and chunks that are loaded only when needed.
import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const { metafile } = await build({
  absWorkingDir: root,
  entryPoints: ['src/main.ts', 'src/keychain-child.ts'],
  outdir: 'dist',
  bundle: true,
  splitting: true,
  minifySyntax: true,
  minifyWhitespace: true,
  platform: 'node',
  format: 'esm',
  target: 'node20.18',
  // jsonc-parser's CommonJS form asks for files at run time that a bundle does not have.
  mainFields: ['module', 'main'],
  external: ['fs-native-extensions', '@napi-rs/keyring', 'pg'],
  chunkNames: 'chunks/[name]-[hash]',
  // Bundled CommonJS packages call require() for Node's own modules; an ES module has none of its own.
  banner: {
    js: "import { createRequire as nodeCreateRequire } from 'node:module';const require = nodeCreateRequire(import.meta.url);",
  },
  define: { VERSION: JSON.stringify(version) },
  logLevel: 'warning',
  metafile: true,
})

// What an earlier build has left goes only now: there is no moment without a program.
const made = new Set(Object.keys(metafile.outputs).map((file) => join(root, file)))
for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name)
  if (entry.isFile() && !made.has(file)) rmSync(file)
}
