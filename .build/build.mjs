// Bundles the program into dist/: main.js with all of our own code, and beside it one file for each package that is
// loaded only when needed. CommonJS, because Node starts it faster than ES modules; dist/package.json says so.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** File → what it holds. The SDK and zod share one: schemas of the one are used by the other. */
const VENDORS = {
  mcp: [
    "export { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'",
    "export { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'",
    "export { SubscribeRequestSchema, UnsubscribeRequestSchema } from '@modelcontextprotocol/sdk/types.js'",
    "export { z } from 'zod'",
  ],
  undici: ["export * from 'undici'"],
  open: ["export { default } from 'open'"],
  'jsonc-parser': ["export * from 'jsonc-parser'"],
  'toml-patch': ["export * from '@decimalturn/toml-patch'"],
  uqr: ["export * from 'uqr'"],
}
const VENDOR_OF = [
  [/^(@modelcontextprotocol\/sdk\/.*|zod)$/, 'mcp'],
  [/^(undici|open|jsonc-parser|uqr)$/, null],
  [/^@decimalturn\/toml-patch$/, 'toml-patch'],
]

const vendored = {
  name: 'vendored',
  setup({ onResolve }) {
    for (const [filter, name] of VENDOR_OF) {
      onResolve({ filter }, ({ path }) => ({ path: `./vendor/${name ?? path}.js`, external: true }))
    }
  },
}

const shared = {
  absWorkingDir: root,
  bundle: true,
  minifySyntax: true,
  minifyWhitespace: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.18',
  // jsonc-parser's CommonJS form asks for files at run time that a bundle does not have.
  mainFields: ['module', 'main'],
  external: ['fs-native-extensions', '@napi-rs/keyring'],
  define: { VERSION: JSON.stringify(version), 'import.meta.url': 'importMetaUrl' },
  banner: { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" },
  logLevel: 'warning',
  metafile: true,
}

const outputs = []
async function bundle(options) {
  const { metafile } = await build({ ...shared, ...options })
  outputs.push(...Object.keys(metafile.outputs).map((file) => join(root, file)))
}

mkdirSync(join(root, 'dist'), { recursive: true })
const manifest = join(root, 'dist', 'package.json')
writeFileSync(manifest, '{ "type": "commonjs" }\n')
await Promise.all([
  bundle({ entryPoints: ['src/main.ts', 'src/keychain-child.ts'], outdir: 'dist', plugins: [vendored] }),
  ...Object.entries(VENDORS).map(([name, lines]) =>
    bundle({
      stdin: { contents: lines.join('\n'), resolveDir: root },
      outfile: `dist/vendor/${name}.js`,
      // As Node itself does it: the default import of a CommonJS file is all that it exports.
      footer: name === 'open' ? { js: 'module.exports = module.exports.default;' } : {},
    }),
  ),
])

// What an earlier build has left goes only now: there is no moment without a program.
const made = new Set([manifest, ...outputs])
for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name)
  if (entry.isFile() && !made.has(file)) rmSync(file)
}
