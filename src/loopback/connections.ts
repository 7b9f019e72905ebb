// Room for the person: whoever holds connections open without asking anything cannot keep the browser out.
// When there are too many, the one that has been silent longest goes first.

import type { Socket } from 'node:net'

/** A browser needs a handful. */
const MAX_CONNECTIONS = 32

/** How long they may be more: a request follows its connection within milliseconds, even on a busy machine. */
const PATIENCE_MS = 100

/** How many they may be until then: few enough for any limit on descriptors. */
const MAX_CONNECTIONS_IN_A_RUSH = 256

/** The open connections of one listener, over all its servers. */
export type Connections = {
  accept(socket: Socket): void
  /** Tells that a request has arrived; false if it is not the connection's first. */
  hear(socket: Socket): boolean
  /** Drops those without a request. */
  dropSilent(): void
  dropAll(): void
}

/** Starts with no connections. */
export function trackConnections(): Connections {
  // In order of age. Arrays, because a Set that thousands pass through leaves old tables that keep them in memory.
  const silent: Socket[] = []
  const heard: Socket[] = []
  let isSweepDue = false
  const dropOver = (limit: number): void => {
    while (silent.length > 0 && silent.length + heard.length > limit) silent.shift()?.destroy()
  }
  // An immediate runs after the sockets were read: on a machine that stood still, requests lie there unread.
  const sweep = (): void => {
    isSweepDue = false
    dropOver(MAX_CONNECTIONS)
  }
  // One function for all: a closure for each connection would weigh more than its request.
  function forget(this: Socket): void {
    remove(silent, this)
    remove(heard, this)
  }
  return {
    accept(socket) {
      silent.push(socket)
      socket.on('close', forget)
      dropOver(MAX_CONNECTIONS_IN_A_RUSH)
      if (isSweepDue || silent.length + heard.length <= MAX_CONNECTIONS) return
      isSweepDue = true
      setTimeout(() => setImmediate(sweep), PATIENCE_MS).unref()
    },
    hear(socket) {
      // With TLS, the socket of the request is not the accepted one; both have the same peer.
      const accepted = silent.includes(socket) ? socket : silent.find((other) => isSamePeer(other, socket))
      if (accepted === undefined) return false
      remove(silent, accepted)
      heard.push(accepted)
      return true
    },
    dropSilent: () => dropOver(0),
    dropAll() {
      for (const socket of [...silent, ...heard]) socket.destroy()
    },
  }
}

function remove(sockets: Socket[], socket: Socket): void {
  const index = sockets.indexOf(socket)
  if (index !== -1) sockets.splice(index, 1)
}

function isSamePeer(a: Socket, b: Socket): boolean {
  return a.remotePort === b.remotePort && a.remoteAddress === b.remoteAddress
}
