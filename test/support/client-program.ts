import { execFile } from 'node:child_process'
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { typed } from './document.ts'
import { makeFolder } from './folder.ts'
import { HANGS_MS } from './patience.ts'

/** Nobody listens there: a client that asks the network gets an answer at once, and none of ours is sent. */
const NO_NETWORK = 'http://127.0.0.1:9'

/** A home in which nothing has ever been set up, and a shell that knows `node` and one client. */
export type Shell = {
  home: string
  /** The folder in which lines are typed. */
  folder: string
  /** Types a line of a document; answers with what was written. */
  type: (line: string) => Promise<string>
}

/** Opens a shell for a client that is started by that command. */
export function openShell(client: {
  name: string
  command: string[]
  env?: Record<string, string>
  home?: string | undefined
}): Shell {
  const home = client.home ?? makeFolder()
  const folder = join(home, 'project')
  const bin = join(home, 'bin')
  for (const path of [folder, bin]) mkdirSync(path)
  symlinkSync(process.execPath, join(bin, 'node'))
  const words = client.command.map((word) => `'${word}'`).join(' ')
  writeFileSync(join(bin, client.name), `#!/bin/sh\nexec ${words} "$@"\n`)
  chmodSync(join(bin, client.name), 0o755)
  const env = {
    PATH: `${bin}:/usr/bin:/bin`,
    HOME: home,
    USERPROFILE: home,
    HTTPS_PROXY: NO_NETWORK,
    ...client.env,
  }
  const type = async (line: string) => {
    const options = { cwd: folder, env, timeout: HANGS_MS }
    const { stdout, stderr } = await promisify(execFile)('/bin/sh', ['-c', typed(line)], options)
    return `${stdout}${stderr}`
  }
  return { home, folder, type }
}
