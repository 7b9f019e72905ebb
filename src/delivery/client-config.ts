// The MCP clients of this machine and their config files: found, and written only when a person has said yes.

import { existsSync, mkdirSync, realpathSync, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { isMissing } from '../machine/files.ts'
import { findProgram } from '../machine/program.ts'
import { HANDED_ON } from '../machine/proxy.ts'
import type { Machine } from '../machine/system.ts'
import { type Sentence, say } from '../sentence.ts'
import { type Insertion, insertEntry, type ServerEntry } from './add-entry.ts'
import { backUp, type Keeping } from './backup.ts'
import { formatChange } from './diff.ts'
import { createSharedFile, replaceSharedFile } from './replacement.ts'
import { MAX_BYTES, readSharedFile } from './shared-file.ts'
import { parseTargets, type Target } from './targets.ts'
import { BYTE_ORDER_MARK, decodeText } from './text-style.ts'

export type Client = { label: string; target: Target; entry: ServerEntry }

/** Where an entry would go (`path` has its symbolic links followed), and the diff of that for a person. */
export type Plan = { path: string; insertion: Insertion; diff: string }

const LABELS: Readonly<Record<string, string>> = {
  'claude-code': 'Claude Code',
  'claude-desktop': 'Claude Desktop',
  cursor: 'Cursor',
  windsurf: 'Windsurf',
  vscode: 'VS Code',
  codex: 'Codex',
  gemini: 'Gemini CLI',
  cline: 'Cline',
}
/** Clients of the terminal, by their programs: nothing but these tells of one that was never run. */
const PROGRAMS: Readonly<Record<string, string>> = {
  'claude-code': 'claude',
  codex: 'codex',
  gemini: 'gemini',
}
/** Clients that want the transport named. */
const TYPED = ['claude-code', 'vscode']
/** Codex hands on no other variables: the keychain and the browser need these. */
const SESSION_VARIABLES = ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR', 'DISPLAY', 'WAYLAND_DISPLAY']
/** The first start by npx downloads the package; Codex gives up on a start after ten seconds. */
const NPX_STARTUP_SEC = 30
/** Clients rewrite their files while they run; a fifth clash in a row is no chance any more. */
const ATTEMPTS = 4

/** The entry as a kind of client takes it. */
function entryFor(kind: string, base: ServerEntry, machine: Machine): ServerEntry {
  if (kind !== 'codex') return TYPED.includes(kind) ? { type: 'stdio', ...base } : base
  const session = machine.platform === 'linux' ? SESSION_VARIABLES : []
  const env_vars = [...session, ...HANDED_ON.filter((name) => machine.environment[name])]
  const { env = {}, ...rest } = base
  const own = Object.entries(env).filter(([name]) => !env_vars.includes(name))
  return {
    ...rest,
    ...(own.length > 0 && { env: Object.fromEntries(own) }),
    ...(env_vars.length > 0 && { env_vars }),
    ...(base.args.some((word) => word.startsWith('feishu-token-mcp')) && {
      startup_timeout_sec: NPX_STARTUP_SEC,
    }),
  }
}

/** The file to write: one that exists, else one whose own folder exists; null: this client is not on the machine. */
function locate(kind: string, { paths }: Target, machine: Machine): string | null {
  const own = (path: string) => dirname(path) !== machine.home && existsSync(dirname(path))
  const found = paths.find((path) => existsSync(path)) ?? paths.find(own)
  return found ?? (isInstalled(kind, machine) ? paths[0] : null) ?? null
}

function isInstalled(kind: string, machine: Machine): boolean {
  const program = PROGRAMS[kind]
  if (program === undefined) return false
  return findProgram(program, machine, ['.exe', '.cmd']) !== null
}

/** The clients of this machine, with the entry that each of them gets under `name`. */
export function findClients(machine: Machine, name: string, base: ServerEntry): Client[] {
  // Without a home directory every path would be one below the folder that we were started in.
  if (machine.home === '') return []
  return Object.entries(LABELS).flatMap(([kind, label]) => {
    const [target] = parseTargets(`${kind}:${name}`, machine)
    const path = target && locate(kind, target, machine)
    if (!target || !path) return []
    return [{ label, target: { ...target, paths: [path] }, entry: entryFor(kind, base, machine) }]
  })
}

/** Every config of a client that is there, with the entry that this client would get. */
export function findConfigs(machine: Machine, base: ServerEntry): Client[] {
  if (machine.home === '') return []
  return Object.entries(LABELS).flatMap(([kind, label]) =>
    parseTargets(`${kind}:any`, machine).flatMap((target) =>
      target.paths
        .filter((path) => existsSync(path))
        .map((path) => ({
          label,
          target: { ...target, paths: [path] },
          entry: entryFor(kind, base, machine),
        })),
    ),
  )
}

type Read = { path: string; bytes: Buffer | null } | { path: string; why: Sentence }

function read(target: Target): Read {
  const [given = ''] = target.paths
  try {
    const path = realpathSync(given)
    // A file that cannot be opened says so in the system's words.
    const file = statSync(path).isFile()
      ? readSharedFile(path, MAX_BYTES)
      : { detail: say`it is not a regular file` }
    return 'detail' in file ? { path, why: file.detail } : { path, bytes: file.bytes }
  } catch (error) {
    if (isMissing(error)) return { path: given, bytes: null }
    return { path: given, why: say`${(error as Error).message}` }
  }
}

/** A config's text without its byte order mark, or why it is not used. */
export function readClientConfig(
  target: Target,
): { path: string; text: string } | { path: string; why: Sentence } {
  const file = read(target)
  if ('why' in file) return file
  const text = file.bytes ? decodeText(file.bytes) : ''
  return text === null
    ? { path: file.path, why: say`it is not UTF-8` }
    : { path: file.path, text: text.replace(BYTE_ORDER_MARK, '') }
}

/** What is to become of a config's text. */
export type Rewriting = (text: string) => Promise<Insertion>

type Prepared = Omit<Plan, 'diff'> & { bytes: Buffer | null; mark: string; before: string }

async function prepare(target: Target, edit: Rewriting): Promise<Prepared> {
  const file = read(target)
  const refused = (why: Sentence): Prepared => ({
    path: file.path,
    bytes: null,
    mark: '',
    before: '',
    insertion: { kind: 'refused', why },
  })
  if ('why' in file) return refused(file.why)
  const text = file.bytes ? decodeText(file.bytes) : ''
  if (text === null) return refused(say`it is not UTF-8`)
  const mark = text.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : ''
  const before = text.slice(mark.length)
  const insertion = await edit(before)
  return { path: file.path, insertion, bytes: file.bytes, mark, before }
}

/** What writing a client's entry would do. Writes nothing. */
export function planEntry({ target, entry }: Client): Promise<Plan> {
  return planEdit(target, (text) => insertEntry(text, target, entry), target.entry)
}

/** What an edit would do to a config; `known` secrets show nowhere. Writes nothing. */
export async function planEdit(
  target: Target,
  edit: Rewriting,
  title: string,
  known: readonly string[] = [],
): Promise<Plan> {
  const { path, insertion, bytes, before } = await prepare(target, edit)
  if (insertion.kind !== 'insert') return { path, insertion, diff: '' }
  const { format } = target
  const change = { path, before: bytes === null ? null : before, after: insertion.text, format, title, known }
  return { path, insertion, diff: await formatChange(change) }
}

/**
 * Writes a client's entry: atomically, with a backup in our own folder, and starting from the file as it is now.
 * Resolves to why it was not written; null: it was.
 */
export function writeEntry({ target, entry }: Client, keeping: Keeping): Promise<Sentence | null> {
  return writeEdit(target, (text) => insertEntry(text, target, entry), keeping)
}

/** The same for any edit of a config. */
export async function writeEdit(target: Target, edit: Rewriting, keeping: Keeping): Promise<Sentence | null> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { path, insertion, bytes, mark, before } = await prepare(target, edit)
    if (insertion.kind === 'present') return null
    if (insertion.kind === 'refused') return insertion.why
    const next = Buffer.from(mark + insertion.text)
    if (bytes === null) {
      // A client that was never run has no folder yet.
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      if (await createSharedFile(path, next)) return null
      continue
    }
    backUp(keeping, { path, text: before, format: target.format })
    if (await replaceSharedFile(path, bytes, next)) return null
  }
  return say`another program wrote it at each attempt`
}
