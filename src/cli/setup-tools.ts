// The end of `setup` with Feishu's tools: they are asked for once, so that a client's first session has them at once.

import { NOT_OFFERED } from '../bridge/link.ts'
import { say } from '../sentence.ts'
import type { Invocation } from './io.ts'

/** Fetches and keeps the list that `connect` will show, and says what is in it. Nothing comes of it that must come. */
export async function keepTools({ cli, deps, profile }: Invocation): Promise<void> {
  const { openFar } = await import('./connect-far.ts')
  const { command, environment, runtime } = cli
  const far = openFar(
    { profile, program: null, remote: null, tools: null },
    {
      command,
      environment,
      platform: runtime.platform,
      getDeps: async () => ({ ...deps, config: { ...deps.config, profile } }),
      stderr: () => undefined,
      kill: () => undefined,
    },
  )
  far.attach({
    hello: () => ({
      protocolVersion: '2025-06-18',
      capabilities: {},
      clientInfo: { name: 'feishu-token-mcp', version: cli.version },
    }),
    handlers: { notice: () => undefined, ask: async () => NOT_OFFERED },
    changed: () => undefined,
  })
  const { 'tools/list': tools } = await far.lists()
  await far.close()
  if (tools.length > 0)
    cli.stderr(say`Feishu's tools: ${tools.map(({ name }) => String(name)).join(', ')}.\n`)
}
