// The other side of `connect`: Feishu's hosted server, another address, or a program.

import { type ChildProcess, spawn } from 'node:child_process'
import type { Far } from '../bridge/bridge.ts'
import { createChildPeer } from '../bridge/child-peer.ts'
import { createHttpPeer } from '../bridge/http-peer.ts'
import type { Deps } from '../deps.ts'
import type { Gateway } from '../gateway/gateway.ts'
import { openChild, readChildWishes } from '../hand-over/child.ts'
import { createFar } from '../hand-over/connect.ts'
import { type Destination, type Remote, readRemote } from '../hand-over/connect-destination.ts'
import { type Fetch, fetchThrough } from '../machine/fetch.ts'
import { hostedMcpUrl } from '../oauth/feishu.ts'
import type { Brand } from '../profile.ts'
import { type ConnectHost, type ConnectWish, type ProgramWish, wishesOf } from './connect-wish.ts'
import { startOf } from './exec.ts'

/** Creates the other side; the first request opens it. */
export function openFar(wish: ConnectWish, host: ConnectHost): Far & { close: () => Promise<void> } {
  const { program, tools } = wish
  let gateway: Gateway | null = null
  const far = createFar({
    getDeps: host.getDeps,
    tools,
    destination: (deps, brand) =>
      program
        ? programTarget(program, host, () =>
            openEnvironment(deps, program, host).then((child) => {
              gateway = child.gateway
              return child.environment
            }),
          )
        : remoteTarget(deps, brand, wish.remote, host),
  })
  return {
    ...far,
    async close() {
      await far.close()
      await gateway?.close()
    },
  }
}

function remoteTarget(
  deps: Deps,
  brand: Brand,
  wanted: Remote | null,
  { command }: Pick<ConnectHost, 'command'>,
): Destination {
  const { mcpUrl } = deps.config
  const url = new URL(hostedMcpUrl(brand, mcpUrl))
  const hosted = { ...(wanted ?? readRemote(command, url, { headers: [], mcpUrl })), url, byBrand: true }
  const remote = wanted?.byBrand === false ? wanted : hosted
  let fetching: Promise<Fetch> | null = null
  return {
    key: ['http', remote.url.href],
    name: remote.url.host,
    remote,
    createPeer: (sides) =>
      createHttpPeer({
        ...sides,
        url: remote.url,
        async fetch(url, init) {
          fetching ??= deps.upstream(remote.url.href).then(fetchThrough)
          return (await fetching)(url, init)
        },
      }),
  }
}

function openEnvironment(deps: Deps, program: ProgramWish, host: ConnectHost): ReturnType<typeof openChild> {
  const wishes = readChildWishes(deps, wishesOf(program))
  return openChild(deps, { profile: deps.config.profile, inherited: host.environment, wishes })
}

function programTarget(
  program: ProgramWish,
  host: ConnectHost,
  openEnvironment: () => Promise<NodeJS.ProcessEnv>,
): Destination {
  const { words } = program
  let environment: Promise<NodeJS.ProcessEnv> | null = null
  return {
    key: ['program', ...words],
    name: words[0],
    remote: null,
    createPeer: (sides) =>
      createChildPeer({
        ...sides,
        name: words[0],
        async spawn() {
          environment ??= openEnvironment().catch((error) => {
            environment = null
            throw error
          })
          const env = await environment
          const { file, args, verbatim } = await startOf(words, host)
          return spawn(file, args, {
            env,
            stdio: ['pipe', 'pipe', 'inherit'],
            windowsVerbatimArguments: verbatim,
            // A group of its own: what it has started ends with it, and a terminal's Ctrl-C is ours to pass on.
            detached: host.platform !== 'win32',
          })
        },
        kill: (child: ChildProcess, signal) => host.kill(child.pid ?? 0, signal),
        stray: (line) => host.stderr(`${line}\n`),
      }),
  }
}
