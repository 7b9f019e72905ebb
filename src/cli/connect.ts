// `connect`: Feishu's tools and the login in one server. What stands here is needed before `initialize` can be answered,
// so it is little; the rest is loaded once the client asks for something.

import { createBridge, type Far } from '../bridge/bridge.ts'
import type { ConnectHost, ConnectWish } from './connect-wish.ts'

/** Makes the bridge; nothing is opened, read or asked before the client asks for something. */
export function openConnect(wish: ConnectWish, host: ConnectHost): ReturnType<typeof bridgeTo> {
  let loading: Promise<Far & { close: () => Promise<void> }> | null = null
  return bridgeTo(() => {
    loading ??= import('./connect-far.ts').then(({ openFar }) => openFar(wish, host))
    return loading
  })
}

function bridgeTo(load: () => Promise<Far & { close: () => Promise<void> }>): {
  through: ReturnType<typeof createBridge>
  close: () => Promise<void>
} {
  let loaded: Promise<Far & { close: () => Promise<void> }> | null = null
  let client: Parameters<Far['attach']>[0] | null = null
  const far = () => {
    loaded ??= load().then((opened) => {
      if (client) opened.attach(client)
      return opened
    })
    return loaded
  }
  const through = createBridge({
    attach: (given) => {
      client = given
    },
    ask: async (call, signal) => (await far()).ask(call, signal),
    tell: (call) => void loaded?.then((opened) => opened.tell(call)),
    lists: async () => (await far()).lists(),
    begin: () => void far().then((opened) => opened.begin()),
    wake: () => void far().then((opened) => opened.wake()),
  })
  return { through, close: async () => (await loaded)?.close() }
}
