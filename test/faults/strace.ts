// Faults in the system calls of a running program, by strace: which calls there are, and one of them hit.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** The calls that touch files and sockets. No epoll, futex or mmap: an error there is not one of a disk or a network. */
const SYSCALLS = [
  'openat',
  'read',
  'pread64',
  'write',
  'pwrite64',
  'writev',
  'fsync',
  'fdatasync',
  'rename',
  'renameat2',
  'link',
  'unlink',
  'ftruncate',
  'fchmod',
  'chmod',
  'mkdir',
  'statx',
  'newfstatat',
  'getdents64',
  'flock',
  'fcntl',
  'close',
  'socket',
  'setsockopt',
  'getsockopt',
  'connect',
  'sendto',
  'recvfrom',
  'shutdown',
]

/** strace counts `when=N` for each thread: with one thread for files, and none by io_uring, N means what it says. */
const DETERMINISTIC = { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }

/** One system call of one run: the n-th of its name, and which of those on this path. */
export type Point = { syscall: string; nth: number; where: string }

export type Fault = 'SIGKILL' | 'EIO' | 'ENOSPC' | 'EACCES' | 'delay'
export const FAULTS: readonly Fault[] = ['SIGKILL', 'EIO', 'ENOSPC', 'EACCES', 'delay']
/** Long enough that others notice, short enough to be tried at every call. */
const DELAY = '2s'

/** Whether faults can be injected here; if not, why. */
export function straceProblem(): string | null {
  if (process.platform !== 'linux') return 'system call faults need Linux'
  const probe = spawnSync('strace', ['-f', '-e', 'trace=none', 'true'], { encoding: 'utf8' })
  if (probe.error) return 'strace is missing: apt-get install strace'
  return probe.status === 0 ? null : 'strace may not trace here (ptrace)'
}

export type Ended = { code: number | null; signal: string | null; stdout: string; stderr: string }

export type Program = {
  main: string
  args: string[]
  env: Record<string, string>
  folder: string
  log: string
}

/** What a program that is under way is given on stdin, and when. */
export type Talk = (child: ChildProcess) => void

const closeStdin: Talk = (child) => child.stdin?.end()

async function runTraced(program: Program, options: string[], talk: Talk): Promise<Ended> {
  const env = { ...program.env, ...DETERMINISTIC }
  const traced = ['-f', '-y', '-o', program.log, ...options, process.execPath, program.main, ...program.args]
  const child = spawn('strace', traced, { env, stdio: ['pipe', 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin.on('error', () => undefined)
  talk(child)
  const [code, signal] = await once(child, 'close')
  return { code, signal, stdout, stderr }
}

/** Where a call acts: a path below our folder, a socket, stdout; null: none of ours. */
function whereOf(call: string, folder: string): string | null {
  const fd = /^(\d+)<([^>]*)>/.exec(call)
  const paths = fd ? [fd[2] ?? ''] : [...call.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '')
  if (fd?.[1] === '1') return 'stdout'
  if (fd?.[2]?.startsWith('socket:') || /^AF_INET/.test(call)) return 'socket'
  if (!paths.some((path) => path.startsWith(folder))) return null
  const names = paths.map((path) => path.slice(folder.length).replace(/[\w-]{12}\.tmp$/, '*.tmp'))
  return names.map((name) => name.replace(/cli_\w+-/, '').replace(/\w{16}\.key/, '*.key')).join(' → ')
}

type Line = { point: Point | null; injected: boolean }

/** Reads a log of strace: the calls of the main thread, in order. */
function readLog(path: string, folder: string): Line[] {
  const lines = readFileSync(path, 'latin1').split('\n')
  const main = lines[0]?.split(' ')[0]
  const counts = new Map<string, number>()
  const count = (key: string) => {
    const next = (counts.get(key) ?? 0) + 1
    counts.set(key, next)
    return next
  }
  const calls: Line[] = []
  for (const line of lines) {
    const [, thread, rest = ''] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (thread !== main) continue
    const hit = /\((INJECTED|DELAYED)\)/.test(rest)
    const resumed = rest.startsWith('<...')
    const call = /^(\w+)\((.*)$/.exec(rest)
    const last = calls.at(-1)
    if (resumed && hit && last) last.injected = true
    if (resumed || !call) continue
    const [, syscall = '', args = ''] = call
    const nth = count(syscall)
    const place = whereOf(args, folder)
    const where = place === null ? null : `${syscall} ${place} #${count(`${syscall} ${place}`)}`
    calls.push({ point: where === null ? null : { syscall, nth, where }, injected: hit })
  }
  return calls
}

/** Runs the program without a fault; resolves to the calls that touch `folder`, sockets and stdout. */
export async function discover(
  program: Program,
  talk: Talk = closeStdin,
): Promise<{ points: Point[]; ended: Ended }> {
  const ended = await runTraced(program, ['-e', `trace=${SYSCALLS.join(',')}`], talk)
  const points = readLog(program.log, program.folder).flatMap((line) => line.point ?? [])
  return { points, ended }
}

/** Runs the program with a fault in one call; resolves to where it really struck, null: nowhere of ours. */
export async function inject(
  program: Program,
  point: Point,
  fault: Fault,
  talk: Talk = closeStdin,
): Promise<{ struck: string | null; ended: Ended }> {
  const how =
    fault === 'SIGKILL' ? 'signal=SIGKILL' : fault === 'delay' ? `delay_enter=${DELAY}` : `error=${fault}`
  // A signal is lost when only the traced calls stop (--seccomp-bpf); without signals that is faster.
  const fast = fault === 'SIGKILL' ? [] : ['--seccomp-bpf']
  const rule = `inject=${point.syscall}:${how}:when=${point.nth}`
  const ended = await runTraced(program, [...fast, '-e', `trace=${point.syscall}`, '-e', rule], talk)
  const calls = readLog(program.log, program.folder)
  const hits =
    fault === 'SIGKILL' && ended.signal === 'SIGKILL'
      ? calls.slice(-1)
      : calls.filter((line) => line.injected)
  return { struck: hits.length === 1 ? (hits[0]?.point?.where ?? null) : null, ended }
}
