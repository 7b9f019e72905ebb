// The programs beside which ours is measured: pinned, installed once into node_modules/.cache, never a dependency.

import { execFile } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'

type Package = { name: string; version: string; bin: string }

export type Peer = 'server-filesystem' | 'lark-mcp' | 'mcp-remote'

const PACKAGES: Record<Peer, Package> = {
  'server-filesystem': {
    name: '@modelcontextprotocol/server-filesystem',
    version: '2026.8.31',
    bin: 'dist/index.js',
  },
  'lark-mcp': { name: '@larksuiteoapi/lark-mcp', version: '0.5.1', bin: 'dist/cli.js' },
  'mcp-remote': { name: 'mcp-remote', version: '0.15.1', bin: 'dist/proxy.js' },
}

/** lark-mcp brings two hundred packages; a registry that takes longer than this is as good as none. */
const INSTALL_MS = 180_000

/** The script to start a peer with; null, and said loudly, where it cannot be installed. */
export async function installPeer(peer: Peer): Promise<string | null> {
  const { name, version, bin } = PACKAGES[peer]
  const folder = resolve('node_modules', '.cache', 'peers', `${peer}-${version}`)
  const script = join(folder, 'node_modules', name, bin)
  if (existsSync(script)) return script
  mkdirSync(folder, { recursive: true })
  // lark-mcp's install script wants a compiler and libsecret's headers; it runs without.
  const args = ['install', '--no-save', '--ignore-scripts', '--no-audit', '--no-fund', '--prefix', folder]
  try {
    await promisify(execFile)('npm', [...args, `${name}@${version}`], { timeout: INSTALL_MS })
    if (existsSync(script)) return script
    throw new Error(`the package has no ${bin}`)
  } catch (error) {
    const [why] = String(error instanceof Error ? error.message : error).split('\n')
    process.stderr.write(`SKIPPED: ${peer}, because ${name}@${version} cannot be installed: ${why}\n`)
    return null
  }
}
