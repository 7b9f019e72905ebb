// Faults in the system calls of a running program, by strace: which calls there are, and one of them hit.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'

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
  'bind',
  'listen',
  'accept4',
  'setsockopt',
  'getsockopt',
  'connect',
  'sendto',
  'recvfrom',
  'shutdown',
]

/** strace counts `when=N` for each thread: with one thread for files, and none by io_uring, N means what it says. */
const DETERMINISTIC = { UV_THREADPOOL_SIZE: '1', UV_USE_IO_URING: '0' }

/** One system call of one run. */
export type Point = {
  syscall: string
  /** Its number among those of its name; among those on `path`, where there is one. */
  nth: number
  /** The one path that it acts on, below the folder or `stdout`, if that is the same in every run. */
  path: string | null
  /** Names it in the same way in every run. */
  where: string
}

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
  /** strace's own. */
  log: string
  /** A file for stdout; null: a pipe. */
  out: string | null
}

/** What a program that is under way is given on stdin, and when. */
export type Talk = (child: ChildProcess) => void

const closeStdin: Talk = (child) => child.stdin?.end()

async function runTraced(program: Program, options: string[], talk: Talk): Promise<Ended> {
  const env = { ...program.env, ...DETERMINISTIC }
  const traced = ['-f', '-y', '-o', program.log, ...options, process.execPath, program.main, ...program.args]
  const out = program.out === null ? null : openSync(program.out, 'w', 0o600)
  const child = spawn('strace', traced, { env, stdio: ['pipe', out ?? 'pipe', 'pipe'] })
  let stdout = ''
  let stderr = ''
  child.stdout?.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr?.on('data', (chunk) => {
    stderr += chunk
  })
  child.stdin?.on('error', () => undefined)
  talk(child)
  const [code, signal] = await once(child, 'close')
  if (out !== null && program.out !== null) {
    closeSync(out)
    stdout = readFileSync(program.out, 'utf8')
  }
  return { code, signal, stdout, stderr }
}

type Place = { name: string; path: string | null }

/** Where a call acts: on paths below our folder, a socket, stdout; null: on none of ours. */
function placeOf(call: string, folder: string): Place | null {
  const fd = /^(\d+)<([^>]*)>/.exec(call)
  const paths = fd ? [fd[2] ?? ''] : [...call.matchAll(/"([^"]*)"/g)].map((match) => match[1] ?? '')
  const [path = ''] = paths
  if (fd?.[1] === '1') return { name: 'stdout', path: path.startsWith('/') ? 'stdout' : null }
  if (path.startsWith('socket:') || /^AF_INET/.test(call)) return { name: 'socket', path: null }
  if (!paths.some((path) => path.startsWith(folder))) return null
  const names = paths.map((path) =>
    path.slice(folder.length).replace(/[\w-]{12}\.tmp$|[\w-]{6}(\.[0-9a-f]{12}){2}\.kept$/, '*.tmp'),
  )
  // Named by a hash of a path, which is another one in every run.
  const hashed = /\/[0-9a-f]{32}\.json|-[0-9a-f]{12}-/
  const plain = names.map((name) =>
    name
      .replace(/cli_\w+-/, '')
      .replace(/\w{16}\.key/, '*.key')
      .replace(hashed, '*'),
  )
  return {
    name: plain.join(' → '),
    path:
      paths.length === 1 && !/\.(?:tmp|kept)$/.test(path) && !hashed.test(path) ? (names[0] ?? null) : null,
  }
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
    const place = placeOf(args, folder)
    const onPlace = place === null ? 0 : count(`${syscall} ${place.name}`)
    const point = place && {
      syscall,
      nth: place.path === null ? nth : onPlace,
      path: place.path,
      where: `${syscall} ${place.name} #${onPlace}`,
    }
    calls.push({ point, injected: hit })
  }
  return calls
}

/** Runs the program without a fault; resolves to its calls from the first to the last on `folder` or stdout. */
export async function discover(
  program: Program,
  talk: Talk = closeStdin,
): Promise<{ points: Point[]; ended: Ended }> {
  const ended = await runTraced(program, ['-e', `trace=${SYSCALLS.join(',')}`], talk)
  const points = readLog(program.log, program.folder).flatMap((line) => line.point ?? [])
  const first = points.findIndex((point) => / \//.test(point.where))
  const last = points.findLastIndex((point) => / \/|^write stdout/.test(point.where))
  return { points: points.slice(first, last + 1), ended }
}

/** What a run with a fault came to. */
export type Injected = {
  /** Where it really struck; null: nowhere of ours. */
  struck: string | null
  /** The number that the point had in this run; null: the run did not come so far. */
  nth: number | null
  ended: Ended
}

/** Runs the program with a fault in one call. */
export async function inject(
  program: Program,
  point: Point,
  fault: Fault,
  talk: Talk = closeStdin,
): Promise<Injected> {
  const how =
    fault === 'SIGKILL' ? 'signal=SIGKILL' : fault === 'delay' ? `delay_enter=${DELAY}` : `error=${fault}`
  // A signal is lost when only the traced calls stop (--seccomp-bpf); without signals that is faster.
  const fast = fault === 'SIGKILL' ? [] : ['--seccomp-bpf']
  const rule = `inject=${point.syscall}:${how}:when=${point.nth}`
  const path = point.path === 'stdout' ? program.out : `${program.folder}${point.path}`
  const only = point.path === null || path === null ? [] : ['-P', path]
  const ended = await runTraced(program, [...fast, ...only, '-e', `trace=${point.syscall}`, '-e', rule], talk)
  const calls = readLog(program.log, program.folder)
  const hits =
    fault === 'SIGKILL' && ended.signal === 'SIGKILL'
      ? calls.slice(-1)
      : calls.filter((line) => line.injected)
  const meant = calls.find((line) => line.point?.where === point.where)
  return {
    struck: hits.length === 1 ? (hits[0]?.point?.where ?? null) : null,
    nth: meant?.point?.nth ?? null,
    ended,
  }
}
