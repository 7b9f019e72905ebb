// Bundles the program into dist/: main.js with all of our own code, and beside it one file for each package that is
// loaded only when needed. CommonJS, because Node starts it faster than ES modules; dist/package.json says so.

import { createHash } from 'node:crypto'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, transformSync } from 'esbuild'
import { makeCodeCache } from './code-cache.mjs'
import { CLIENT_TYPES, leanClient, leanSdk, SPARE_LINES } from './lean-sdk.mjs'
import { licencesOf } from './licenses.mjs'
import { buildParts } from './parts.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const { version, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

/** Of the SDK's many schemas, those of the requests that the server answers: by name, so that the rest stays out. */
const SDK_TYPES = [
  'ErrorCode',
  'GetPromptRequestSchema',
  'ListPromptsRequestSchema',
  'ListResourcesRequestSchema',
  'ListResourceTemplatesRequestSchema',
  'ListToolsRequestSchema',
  'McpError',
  'ReadResourceRequestSchema',
  'SubscribeRequestSchema',
  'UnsubscribeRequestSchema',
]

/** File → what it holds. */
const VENDORS = {
  mcp: [
    "export { Server } from '@modelcontextprotocol/sdk/server/index.js'",
    "export { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js'",
    `export { ${SDK_TYPES.join(', ')} } from '@modelcontextprotocol/sdk/types.js'`,
    `export { ${CLIENT_TYPES.join(', ')} } from '@modelcontextprotocol/sdk/types.js'`,
  ],
  'mcp-spare': SPARE_LINES,
  // Of the SDK's client what `connect` alone needs; the schemas of messages are those of the server's file.
  'mcp-client': [
    "export { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'",
  ],
  undici: ["export * from 'undici'"],
  open: ["export { default } from 'open'"],
  'jsonc-parser': ["export * from 'jsonc-parser'"],
  diff: ["export { structuredPatch } from 'diff'"],
  'toml-patch': ["export * from '@decimalturn/toml-patch'"],
  uqr: ["export * from 'uqr'"],
  pg: ["export { default } from 'pg'"],
}
const VENDOR_OF = [
  [/^@modelcontextprotocol\/sdk\/client\//, 'mcp-client'],
  [/^@modelcontextprotocol\/sdk\/.*$/, 'mcp'],
  [/^(undici|open|jsonc-parser|diff|uqr|pg)$/, null],
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
  minify: true,
  platform: 'node',
  format: 'cjs',
  target: 'node20.18',
  // What a program asks for later goes through scripts/load.cjs too: V8 knows no way to import from code that was kept.
  supported: { 'dynamic-import': false },
  // jsonc-parser's CommonJS form asks for files at run time that a bundle does not have.
  mainFields: ['module', 'main'],
  // Paths below the project alone get into the bundle, even where packages are linked from elsewhere.
  preserveSymlinks: true,
  // Of the two of pg, one is asked for on request alone, the other on Cloudflare alone.
  external: ['@napi-rs/keyring', 'pg-native', 'pg-cloudflare'],
  define: {
    VERSION: JSON.stringify(version),
    NATIVE_FOLDER: JSON.stringify('./native'),
    'import.meta.dirname': '__dirname',
    'import.meta.url': 'importMetaUrl',
  },
  logLevel: 'warning',
  metafile: true,
  write: false,
}

/** The files of the program. Each holds what its entries need and no earlier file holds; the last holds the rest. */
const PARTS = [
  {
    file: 'dist/start.js',
    entries: [
      'src/main.ts',
      'src/answers.ts',
      'src/errors.ts',
      'src/profile.ts',
      'src/cli/usage.ts',
      'src/machine/address.ts',
    ],
  },
  // What the server needs until the first call of a tool.
  { file: 'dist/server.js', entries: ['src/mcp/stdio.ts'] },
  // What those commands need that are called most.
  {
    file: 'dist/base.js',
    entries: [
      'src/wiring/open-deps.ts',
      'src/cli/run.ts',
      'src/cli/output.ts',
      'src/cli/token.ts',
      'src/oauth/feishu-numbers.ts',
    ],
  },
  { file: 'dist/status.js', entries: ['src/cli/status.ts'], called: ['src/machine/closed-folder.ts'] },
  // What a refresh needs besides.
  {
    file: 'dist/refresh.js',
    entries: ['src/refresh/under-lock.ts', 'src/machine/transport.ts', 'src/store/files/locked-files.ts'],
    called: [
      'src/machine/foreign-file.ts',
      'src/machine/own-directory.ts',
      'src/machine/rename.ts',
      'src/oauth/answer.ts',
    ],
  },
  { file: 'dist/exec.js', entries: ['src/cli/exec.ts', 'src/hand-over/gateway.ts'] },
  // What `connect` needs until its client asks for something, and what it needs then.
  { file: 'dist/connect.js', entries: ['src/cli/connect.ts', 'src/cli/connect-wish.ts'] },
  { file: 'dist/bridge.js', entries: ['src/cli/connect-far.ts'] },
  // For people who read it.
  { file: 'dist/chinese.js', entries: ['src/chinese/sentences.ts'] },
  { file: 'dist/more.js', entries: [], called: ['src/delivery/targets.ts', 'src/store/postgres/address.ts'] },
]

/** Whole at every moment: a program may start, and one that runs may load its next part, while it is replaced. */
function put(file, text) {
  const made = `${file}.${process.pid}`
  writeFileSync(made, text, { flush: true })
  renameSync(made, file)
}

// One letter beyond ASCII doubles the memory that V8 takes for a file, and slows its compiler. esbuild leaves them in the
// templates that have a tag; ours read the text, which stays the same.
const escaped = (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`
const inAscii = (text) => text.replaceAll(/[^\0-\x7f]/g, escaped)
/** The last line names the content: by that the file's code is found. */
const named = (text) => `${text}//${createHash('sha256').update(text).digest('hex').slice(0, 16)}\n`

const outputs = []
/** What has left bytes in an output; the rest was shaken off. */
const bundled = new Set()
function keep({ metafile, outputFiles }, finish) {
  for (const { inputs } of Object.values(metafile.outputs)) {
    for (const [input, { bytesInOutput }] of Object.entries(inputs)) if (bytesInOutput > 0) bundled.add(input)
  }
  for (const { path, text } of outputFiles) {
    put(path, finish(text))
    outputs.push(path)
  }
}

/** Node computes this for ES modules; it costs a little, so only files that may ask for it have it. */
const banner = { js: "const importMetaUrl = require('node:url').pathToFileURL(__filename).href;" }

async function bundle(options, finish) {
  keep(await build({ ...shared, banner, ...options }), finish)
}

mkdirSync(join(root, 'dist', 'vendor'), { recursive: true })
const manifest = join(root, 'dist', 'package.json')
writeFileSync(manifest, '{ "type": "commonjs" }\n')
await Promise.all([
  bundle({ entryPoints: ['src/store/keychain-child.ts'], outdir: 'dist' }, inAscii),
  buildParts({ ...shared, plugins: [vendored] }, 'src/main.ts', PARTS).then((results) =>
    results.forEach((result) => {
      keep(result, (text) => named(inAscii(text)))
    }),
  ),
  ...Object.entries(VENDORS).map(([name, lines]) =>
    bundle(
      {
        stdin: { contents: lines.join('\n'), resolveDir: root },
        outfile: `dist/vendor/${name}.js`,
        plugins: { mcp: [leanSdk], 'mcp-client': [leanClient] }[name] ?? [],
        // As Node itself does it: the default import of a CommonJS file is all that it exports.
        footer: name === 'open' || name === 'pg' ? { js: 'module.exports = module.exports.default;' } : {},
      },
      named,
    ),
  ),
])

// Any Node since 12 reads it, so that one that is too old gets as far as the guard.
const main = join(root, 'dist', 'main.js')
const { code } = transformSync(
  ['guard', 'load'].map((name) => readFileSync(join(root, `scripts/${name}.cjs`), 'utf8')).join('\n'),
  { define: { OLDEST: JSON.stringify(engines.node.replace('>=', '')) }, minify: true, target: 'node12' },
)
put(main, `#!/usr/bin/env node\n"use strict";${code}`)
outputs.push(main)

// npm does so for whoever installs the package; a clone is run as it is built.
chmodSync(main, 0o755)

/** The systems that people have at their desk; each has a file of its own for the kernel's lock. */
const PLATFORMS = ['darwin-arm64', 'darwin-x64', 'linux-arm64', 'linux-x64', 'win32-arm64', 'win32-x64']
for (const platform of PLATFORMS) {
  const file = `${platform}/fs-native-extensions.node`
  const source = `node_modules/fs-native-extensions/prebuilds/${file}`
  cpSync(join(root, source), join(root, 'dist/native', file))
  outputs.push(join(root, 'dist/native', file))
  bundled.add(source)
}

const licences = join(root, 'dist', 'THIRD-PARTY-LICENSES.txt')
writeFileSync(licences, licencesOf(root, bundled))

// What an earlier build has left goes only now: there is no moment without a program.
const made = new Set([manifest, licences, ...outputs])
for (const entry of readdirSync(join(root, 'dist'), { recursive: true, withFileTypes: true })) {
  const file = join(entry.parentPath, entry.name)
  if (entry.isFile() && !made.has(file)) rmSync(file)
}

makeCodeCache(root)
