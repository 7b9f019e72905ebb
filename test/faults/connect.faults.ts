// The thirteen faults of bridges in the field, each held against ours: a proof that `connect` passes, and that a build of
// it without the protection does not.

import { ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js'
import { describe, expect, test } from 'vitest'
import { refreshToken } from '../../src/refresh/refresh.ts'
import type { Knobs } from '../feishu-sandbox/knobs.ts'
import {
  callOther,
  connectStage,
  DOCUMENT,
  logIn,
  OURS,
  otherServer,
  processOn,
  readDocument,
  startConnect,
  startListed,
  toolNames,
} from '../support/connect.ts'
import type { Stage } from '../support/program.ts'
import { buildVariant, type Patch, WHOLE } from './variant.ts'

type Proof = (program: string) => Promise<void>
type Held = { fault: string; patch: Patch; proof: Proof }

/** A stage on which somebody has logged in. */
async function loggedIn(knobs: Partial<Knobs> = {}): Promise<Stage> {
  const stage = await connectStage({ knobs })
  await logIn(stage)
  return stage
}

function done(stage: Stage, tool: string): number {
  return stage.sandbox.mcpRequests.filter(({ name, done }) => name === tool && done).length
}

const START: readonly Held[] = [
  {
    fault: '1. exits, or fails initialize, without a credential',
    patch: {
      file: 'src/main.ts',
      from: '    implied = settingsOf(wish, environment)\n',
      to:
        '    implied = settingsOf(wish, environment)\n' +
        "    const { pullRecord } = await import('./hand-over/pull.ts')\n" +
        "    await pullRecord(await getDeps(), 'default')\n",
    },
    async proof(program) {
      const server = await startConnect(await connectStage(), [], { program })
      expect(await toolNames(server)).toEqual(OURS)
      expect((await readDocument(server)).text).toContain('start_authorization')
    },
  },
  {
    fault: '13. tools appear only after a restart',
    patch: {
      file: 'src/hand-over/connect-catalogue.ts',
      from: 'if (methods.length > 0) changed(methods)',
      to: '',
    },
    async proof(program) {
      const stage = await connectStage()
      const server = await startConnect(stage, [], { program })
      let told = false
      server.client.setNotificationHandler(ToolListChangedNotificationSchema, () => {
        told = true
      })
      expect(await toolNames(server)).toEqual(OURS)
      await logIn(stage)
      await expect.poll(() => toolNames(server), { timeout: 10_000 }).toContain('fetch-doc')
      expect(told).toBe(true)
    },
  },
]

const READING: readonly Held[] = [
  {
    fault: '2. reads the credential once, at the start',
    patch: {
      file: 'src/hand-over/connect.ts',
      from: 'createTokenSource(deps, profile, 0)',
      to: 'createTokenSource(deps, profile, 3_600_000)',
    },
    async proof(program) {
      const stage = await loggedIn()
      const server = await startListed(stage, [], { program })
      expect((await readDocument(server)).isError).toBe(false)
      stage.sandbox.knobs.oldAccessTokenGraceMs = 0
      await refreshToken(await processOn(stage), { profile: 'default', force: true })
      expect((await readDocument(server)).isError).toBe(false)
      expect(stage.sandbox.mcpRequests.filter(({ status }) => status === 401)).toEqual([])
    },
  },
  {
    fault: '6. repeats a writing call after a cut answer',
    patch: {
      file: 'src/hand-over/connect.ts',
      from: 'const reply = await peer.request(call, { signal, headers: requestHeaders(destination, token, names) })',
      to:
        'const options = { signal, headers: requestHeaders(destination, token, names) }\n' +
        '    const reply = await peer.request(call, options).catch(() => peer.request(call, options))',
    },
    async proof(program) {
      const stage = await loggedIn()
      const server = await startListed(stage, [], { program })
      stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'reset', when: 'after_processing' })
      const { text } = await callOther(server, 'create-doc', { title: 'T', markdown: 'M' })
      expect(done(stage, 'create-doc')).toBe(1)
      expect(text).toContain('code=network_error')
    },
  },
]

const REST: readonly Held[] = [
  {
    fault: '3. does not recover from an expired token',
    patch: {
      file: 'src/hand-over/connect.ts',
      from: 'if (!token || !isRefusal(reply) || isJustRenewed(lastRenewed, token, now())) return { reply, token }',
      to: 'if (reply) return { reply, token }',
    },
    async proof(program) {
      const stage = await loggedIn()
      const server = await startListed(stage, [], { program })
      stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
      expect((await readDocument(server)).text).toContain('the launch')
    },
  },
  {
    fault: '4 and 5. loses the call with its session, or goes on in one that was never initialized',
    patch: { file: 'src/bridge/peer.ts', from: '        drop(session)\n', to: '' },
    async proof(program) {
      const stage = await loggedIn({ mcpSessions: true })
      const server = await startListed(stage, [], { program })
      stage.sandbox.loseMcpSessions()
      expect((await readDocument(server)).text).toContain('the launch')
      const methods = stage.sandbox.mcpRequests.map(({ method }) => method)
      expect(methods.filter((method) => method === 'initialize')).toHaveLength(2)
    },
  },
  {
    fault: '7. hands on a stray line on stdout',
    patch: {
      file: 'src/cli/connect-far.ts',
      from: 'stray: (line) => host.stderr(',
      to: 'stray: (line) => process.stdout.write(',
    },
    async proof(program) {
      const server = await startListed(await connectStage(), otherServer(), { program })
      await callOther(server, 'noise')
      await callOther(server, 'echo')
      // It fails for a line that is no message.
      await server.close()
    },
  },
  {
    fault: '8. takes an empty list for an answer',
    patch: {
      file: 'src/hand-over/connect-fetch.ts',
      from: 'if (list.length > 0) return void',
      to: 'if (list) return void',
    },
    async proof(program) {
      const stage = await loggedIn({ mcpTools: ['fetch-doc'] })
      const server = await startListed(stage, [], { program })
      await server.close()
      stage.sandbox.knobs.mcpTools = []
      const again = await startConnect(stage, [], { program })
      await toolNames(again)
      await expect
        .poll(async () => JSON.stringify((await again.call('token_status')).data.warnings), {
          timeout: 10_000,
        })
        .toContain('lists no tools although the token is valid')
    },
  },
  {
    fault: '9. lets the credential follow a redirect',
    patch: {
      file: 'src/machine/fetch.ts',
      from: 'dispatcher.dispatch(request, answering(signal, resolve, fail))',
      to: "fetch(url, { ...init, redirect: 'follow' }).then(resolve, fail)",
    },
    async proof(program) {
      const [stage, elsewhere] = [await loggedIn(), await connectStage()]
      const server = await startListed(stage, [], { program })
      const headers = { location: `${elsewhere.sandbox.url}/mcp` }
      stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'answer', status: 307, headers })
      await readDocument(server)
      expect(elsewhere.sandbox.requests).toEqual([])
    },
  },
  {
    fault: '10. passes on numbers that mean something else here',
    patch: {
      file: 'src/hand-over/connect.ts',
      from: 'if (!destination.remote && reply.error)',
      to: 'if (reply.error)',
    },
    async proof(program) {
      const stage = await loggedIn()
      const server = await startListed(stage, [], { program })
      const body = '{"jsonrpc":"2.0","id":null,"error":{"code":-32042,"message":"Invalid Content Type"}}'
      stage.sandbox.faults.next({ endpoint: 'mcp', kind: 'answer', status: 400, body })
      const { text } = await readDocument(server)
      expect(text).toMatch(/^FAILED: .*code=unexpected_response recovery=retry\]$/)
    },
  },
  {
    fault: '11. forwards what looks like a credential in _meta',
    patch: {
      file: 'src/bridge/message.ts',
      from: 'if (call.params?._meta === undefined) return call',
      to: 'if (call) return call',
    },
    async proof(program) {
      const stage = await loggedIn()
      const server = await startListed(stage, [], { program })
      const _meta = { 'x-api-key': 'k', theme: 'dark' }
      await server.client.callTool({ name: 'fetch-doc', arguments: { doc_id: DOCUMENT }, _meta })
      expect(stage.sandbox.mcpRequests.at(-1)?.meta).toEqual({ theme: 'dark' })
    },
  },
  {
    fault: '12. gives all tools, the dangerous ones too',
    patch: { file: 'src/cli/connect-far.ts', from: '    tools,\n', to: '    tools: null,\n' },
    async proof(program) {
      const server = await startListed(await loggedIn(), ['--tools', 'fetch-doc'], { program })
      expect(await toolNames(server)).toEqual([...OURS, 'fetch-doc'])
      const { tools } = await server.client.listTools()
      expect(tools.at(-1)?.annotations).toEqual({ readOnlyHint: true, destructiveHint: false })
    },
  },
]

describe.each([
  ['start', START],
  ['reading', READING],
  ['rest', REST],
])('bridges in the field (%s)', (name, held) => {
  test.for(held)('$fault', { timeout: 180_000 }, async ({ proof }) => {
    await proof(WHOLE)
    // Several are taken out at once; each proof meets its own alone.
    const program = await buildVariant(
      `connect-${name}`,
      held.map((one) => one.patch),
    )
    await expect(proof(program)).rejects.toThrow()
  })
})
