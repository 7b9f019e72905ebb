// Whether the listener could open its port, and which process holds a port.

import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { CodedError } from '../errors.ts'
import { type ListenerOptions, listenForCallback } from './listener.ts'

/** A process that listens on a port. */
type PortHolder = { pid: number; program: string }

/** Opens the port that the listener would open, and closes it at once; resolves to why it could not, else null. */
export async function inspectPort(
  options: Pick<ListenerOptions, 'redirectUri' | 'listen'>,
): Promise<CodedError | null> {
  try {
    const refuse = async () => ({ kind: 'ignored' }) as const
    const listener = await listenForCallback({ ...options, tls: null, language: null, onResponse: refuse })
    await listener.close()
    return null
  } catch (error) {
    if (!(error instanceof CodedError)) throw error
    return error
  }
}

/** The processes that listen on a TCP port, from Linux's /proc; elsewhere, and of other users, none are found. */
export function portHolders(port: number): PortHolder[] {
  try {
    const sockets = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeners(table, port)))
    const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name))
    return pids
      .filter((pid) => holdsAny(pid, sockets))
      .map((pid) => ({ pid: Number(pid), program: programOf(pid) }))
  } catch {
    return []
  }
}

/** The links under which the listening sockets of a port appear; see proc(5), /proc/net/tcp. */
function listeners(table: string, port: number): string[] {
  const hex = port.toString(16).toUpperCase().padStart(4, '0')
  const rows = readFileSync(table, 'latin1')
    .split('\n')
    .map((row) => row.trim().split(/\s+/))
  // 0A: the state LISTEN.
  const listening = rows.filter(([, local, , state]) => state === '0A' && local?.endsWith(`:${hex}`))
  return listening.map((row) => `socket:[${row[9]}]`)
}

function holdsAny(pid: string, sockets: Set<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some((fd) => sockets.has(readlinkSync(`/proc/${pid}/fd/${fd}`)))
  } catch {
    // Another user's, or gone meanwhile.
    return false
  }
}

function programOf(pid: string): string {
  try {
    // A process gives itself any name, also one that a terminal would act on.
    return readFileSync(`/proc/${pid}/comm`, 'utf8').trim().replace(/\p{C}/gu, '?')
  } catch {
    return 'unknown'
  }
}
