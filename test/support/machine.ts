// A stand-in for another machine: process ids, network, host name and mounts of its own. Its loopback reaches nothing but
// what is relayed into it through a Unix socket; the database is reached through its own socket file.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const NAMESPACES = ['--pid', '--fork', '--kill-child', '--mount-proc', '--net', '--uts']

function missing(): string | null {
  try {
    execFileSync('unshare', [...NAMESPACES, 'ip', 'link', 'set', 'lo', 'up'], { stdio: 'ignore' })
    return null
  } catch {
    return 'no namespaces: run as root where unshare is permitted, and apt-get install util-linux iproute2'
  }
}

/** Why there can be no stand-in machines here; null: there can. */
export const MACHINES_MISSING: string | null = missing()

/** Runs inside: listens on a loopback port and hands every connection to a Unix socket. */
const RELAY = `
  const { connect, createServer } = require('node:net')
  const [port, path] = process.argv.slice(1)
  createServer((inside) => {
    const outside = connect(path)
    inside.pipe(outside).pipe(inside)
    for (const end of [inside, outside]) end.on('error', () => { inside.destroy(); outside.destroy() })
  }).listen(Number(port), '127.0.0.1', () => console.log('ready'))
`

export type Machine = {
  /** In place of Node: runs it on this machine. */
  node: string
  close: () => Promise<void>
}

/** The process that really runs where `pid` only went to another machine. */
export function processOn(pid: number): number {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
  return Number(child)
}

/** Starts machines whose loopback has one port of ours. */
export async function startMachines(
  names: string[],
  port: number,
): Promise<{ machines: Machine[]; close: () => Promise<void> }> {
  const folder = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-machines-'))
  const path = join(folder, 'relay')
  const relay = createServer((inside) => {
    const outside = connect(port, '127.0.0.1')
    inside.pipe(outside).pipe(inside)
    const destroy = () => {
      inside.destroy()
      outside.destroy()
    }
    inside.on('error', destroy).on('close', destroy)
    outside.on('error', destroy).on('close', destroy)
  }).listen(path)
  await once(relay, 'listening')
  const machines = await Promise.all(names.map((name) => startMachine(folder, name, port, path)))
  return {
    machines,
    async close() {
      await Promise.all(machines.map((machine) => machine.close()))
      relay.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

async function startMachine(folder: string, name: string, port: number, path: string): Promise<Machine> {
  const boot = `hostname ${name} && ip link set lo up && exec "$0" "$@"`
  const args = [...NAMESPACES, 'sh', '-c', boot, process.execPath, '-e', RELAY, String(port), path]
  const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  await once(child.stdout, 'data')
  const node = join(folder, name)
  const enter = `nsenter --target ${processOn(child.pid ?? 0)} --pid --net --uts --mount`
  writeFileSync(node, `#!/bin/sh\nexec ${enter} ${process.execPath} "$@"\n`)
  chmodSync(node, 0o755)
  return {
    node,
    async close() {
      child.kill('SIGKILL')
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
    },
  }
}
