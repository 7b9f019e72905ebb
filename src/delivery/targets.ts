// FEISHU_DELIVER_TO → where each token copy goes. All that is known about each client lies here as data.

import { posix, win32 } from 'node:path'
import { CodedError } from '../errors.ts'
import { expandHome } from '../machine/home.ts'
import type { Machine } from '../machine/system.ts'
import { type Sentence, say, shown } from '../sentence.ts'

/** What makes a running consumer see the new value. */
type Restart = { required: boolean; hint: Sentence }

/** One parsed target. `name` is the text the user wrote; the first of `paths` that exists is the file. */
export type Target = {
  name: string
  format: 'json' | 'toml' | 'dotenv' | 'token-json' | 'file'
  paths: string[]
  /** The MCP server's or the variable's name; empty where the file is the token's own. */
  entry: string
  /** Where MCP servers lie at the top of the file. */
  topKeys: string[]
  /** The client has profiles with files of their own. */
  hasProfiles?: true
  restart: Restart
}

type Folders = { join: (...parts: string[]) => string; home: string; appData: string[]; machine: Machine }

type ClientFacts = {
  format: 'json' | 'toml'
  topKeys: string[]
  hasProfiles?: true
  paths: (folders: Folders) => string[]
  restart: Restart
}

/** The folder of Claude Desktop's Microsoft Store build; the id is derived from the publisher and does not change. */
const CLAUDE_STORE_BUILD = ['Packages', 'Claude_pzs8sxrjxfjjc', 'LocalCache', 'Roaming', 'Claude']
const CLINE_SETTINGS = ['globalStorage', 'saoudrizwan.claude-dev', 'settings', 'cline_mcp_settings.json']

function vsCodeUserFiles({ join, appData }: Folders, ...file: string[]): string[] {
  return ['Code', 'Code - Insiders'].flatMap((app) => appData.map((dir) => join(dir, app, 'User', ...file)))
}

function claudeDesktopFiles({ join, home, appData, machine }: Folders): string[] {
  const file = 'claude_desktop_config.json'
  const plain = appData.map((dir) => join(dir, 'Claude', file))
  if (machine.platform !== 'win32') return plain
  const local = machine.environment.LOCALAPPDATA || join(home, 'AppData', 'Local')
  return [join(local, ...CLAUDE_STORE_BUILD, file), ...plain]
}

const CLIENTS: Record<string, ClientFacts> = {
  cursor: {
    format: 'json',
    topKeys: ['mcpServers'],
    paths: ({ join, home }) => [join(home, '.cursor', 'mcp.json')],
    restart: {
      required: true,
      hint: say`In Cursor, switch the server off and on again (Settings, MCP), or restart Cursor.`,
    },
  },
  'claude-code': {
    format: 'json',
    topKeys: ['mcpServers'],
    paths: ({ join, home, machine }) => [join(machine.environment.CLAUDE_CONFIG_DIR || home, '.claude.json')],
    restart: {
      required: true,
      hint: say`In Claude Code, reconnect the server with /mcp, or start a new session.`,
    },
  },
  'claude-desktop': {
    format: 'json',
    topKeys: ['mcpServers'],
    paths: claudeDesktopFiles,
    restart: {
      required: true,
      hint: say`Quit Claude Desktop completely and open it again; while it runs it may write its older copy of the file back.`,
    },
  },
  windsurf: {
    format: 'json',
    topKeys: ['mcpServers'],
    paths: ({ join, home }) => [join(home, '.codeium', 'windsurf', 'mcp_config.json')],
    restart: { required: true, hint: say`In Windsurf, press Refresh in the MCP panel.` },
  },
  vscode: {
    format: 'json',
    topKeys: ['servers'],
    hasProfiles: true,
    paths: (folders) => vsCodeUserFiles(folders, 'mcp.json'),
    restart: { required: true, hint: say`In VS Code, run "MCP: List Servers" and restart the server.` },
  },
  codex: {
    format: 'toml',
    topKeys: ['mcp_servers'],
    paths: ({ join, home, machine }) => [
      join(machine.environment.CODEX_HOME || join(home, '.codex'), 'config.toml'),
    ],
    restart: { required: true, hint: say`Restart the Codex session.` },
  },
  gemini: {
    format: 'json',
    topKeys: ['mcpServers'],
    paths: ({ join, home }) => [join(home, '.gemini', 'settings.json')],
    restart: { required: true, hint: say`Restart Gemini CLI.` },
  },
  cline: {
    format: 'json',
    topKeys: ['mcpServers'],
    paths: (folders) => vsCodeUserFiles(folders, ...CLINE_SETTINGS),
    restart: { required: false, hint: say`Cline reloads the server by itself.` },
  },
}

const KINDS = [...Object.keys(CLIENTS), 'mcp', 'dotenv', 'token-json', 'file']
const FORMS = `${Object.keys(CLIENTS)
  .map((client) => `${client}:SERVER`)
  .join(', ')}, mcp:PATH#SERVER, dotenv:PATH#NAME, token-json:PATH, file:PATH`

/** Where `mcp:PATH#SERVER` looks for servers: the common key, VS Code's, Zed's, Amp's, OpenCode's. */
const ANY_TOP_KEYS = ['mcpServers', 'servers', 'context_servers', 'amp.mcpServers', 'mcp']
const ANY_CLIENT: Restart = {
  required: true,
  hint: say`Restart the server in the client that reads this file.`,
}
const ANY_READER: Restart = {
  required: false,
  hint: say`Programs that read the file at each call see it at once, others at their next start. A container sees it only if the folder is mounted, not the file alone.`,
}

/** A comma before a known kind ends a target; any other comma belongs to a path or a name. */
const SEPARATOR = new RegExp(`,(?=\\s*(?:${KINDS.join('|')}):)`)
/** A name never reads `…,word:…`: that is a further target of a kind that does not exist. */
const UNKNOWN_KIND = /,(?=\s*[A-Za-z][\w-]+:)/
/** What dotenv files accept as a name. */
const VARIABLE = /^[A-Za-z_][\w.-]*$/

function locateFolders(machine: Machine): Folders {
  const { join, isAbsolute } = machine.platform === 'win32' ? win32 : posix
  const { platform, home, environment } = machine
  if (platform === 'win32') {
    return { join, home, machine, appData: [environment.APPDATA || join(home, 'AppData', 'Roaming')] }
  }
  if (platform === 'darwin') {
    return { join, home, machine, appData: [join(home, 'Library', 'Application Support')] }
  }
  const configured =
    environment.XDG_CONFIG_HOME && isAbsolute(environment.XDG_CONFIG_HOME)
      ? [environment.XDG_CONFIG_HOME]
      : []
  return { join, home, machine, appData: [...new Set([...configured, join(home, '.config')])] }
}

/** The target a text names, or null where it is none of the forms. */
function parseTarget(name: string, folders: Folders): Target | null {
  const [, kind = '', rest = ''] = /^([a-z-]+):(.+)$/.exec(name) ?? []
  const client = Object.hasOwn(CLIENTS, kind) ? CLIENTS[kind] : undefined
  if (client) {
    if (UNKNOWN_KIND.test(rest)) return null
    return { ...client, name, entry: rest, paths: client.paths(folders) }
  }
  if (kind === 'token-json' || kind === 'file') {
    if (UNKNOWN_KIND.test(rest) || /[\\/]$/.test(rest)) return null
    const paths = [expandHome(rest, folders.machine)]
    return { name, format: kind, paths, entry: '', topKeys: [], restart: ANY_READER }
  }
  const hash = rest.lastIndexOf('#')
  const entry = rest.slice(hash + 1)
  if (hash < 1 || !entry || UNKNOWN_KIND.test(entry)) return null
  const paths = [expandHome(rest.slice(0, hash), folders.machine)]
  if (kind === 'dotenv') {
    if (!VARIABLE.test(entry)) return null
    return { name, format: 'dotenv', paths, entry, topKeys: [], restart: ANY_READER }
  }
  if (kind !== 'mcp') return null
  const isToml = /\.toml$/i.test(rest.slice(0, hash))
  const topKeys = isToml ? ['mcp_servers'] : ANY_TOP_KEYS
  const server = entry.replace(/%23/g, '#').replace(/%25/g, '%')
  return { name, format: isToml ? 'toml' : 'json', paths, entry: server, topKeys, restart: ANY_CLIENT }
}

/** As much of a bad target as helps to find it (they are short), on one line. */
function quote(text: string): string {
  return shown(text)
}

/** Whether a path lies in a folder, by their texts alone; only Linux tells upper case from lower. */
function isWithin(path: string, folder: string, { platform }: Machine): boolean {
  const { resolve, relative, isAbsolute, sep } = platform === 'win32' ? win32 : posix
  const fold = (text: string) => (platform === 'linux' ? text : text.toLowerCase())
  const way = relative(fold(folder), fold(resolve(path)))
  return !isAbsolute(way) && way !== '..' && !way.startsWith(`..${sep}`)
}

/**
 * Parses `FEISHU_DELIVER_TO`. A target within `ownFolder`, which is ours alone, is refused.
 *
 * @throws CodedError `config_invalid` that names each bad target and the kinds allowed
 */
export function parseTargets(setting: string, machine: Machine, ownFolder: string | null = null): Target[] {
  const folders = locateFolders(machine)
  const targets: Target[] = []
  const bad: string[] = []
  const take = (text: string) => {
    const target = /[\0-\x1f\x7f]/.test(text) ? null : parseTarget(text, folders)
    return target ? targets.push(target) : bad.push(quote(text))
  }
  for (const text of setting.split(SEPARATOR).map(trimTarget)) {
    if (text === '') continue
    // Where a target is none, what follows it may be one of a kind that does not exist: that one alone is bad.
    if (parseTarget(text, folders)) take(text)
    else text.split(UNKNOWN_KIND).map(trimTarget).forEach(take)
  }
  if (bad.length > 0) {
    const names = bad.join(', ')
    throw new CodedError(
      'config_invalid',
      bad.length === 1
        ? say`FEISHU_DELIVER_TO: ${names} is not a target of a known form (${FORMS}).`
        : say`FEISHU_DELIVER_TO: ${names} are not targets of a known form (${FORMS}).`,
      { nextStep: say`Correct FEISHU_DELIVER_TO.` },
    )
  }
  const homeless = targets.filter(({ name, paths }) => {
    const { isAbsolute } = machine.platform === 'win32' ? win32 : posix
    const isClients = Object.hasOwn(CLIENTS, name.split(':')[0] ?? '')
    return machine.home === '' && (/^[a-z-]+:~/.test(name) || (isClients && !paths.every(isAbsolute)))
  })
  if (homeless.length > 0) {
    throw new CodedError(
      'config_invalid',
      say`FEISHU_DELIVER_TO: there is no home directory for ${homeless.map(({ name }) => quote(name)).join(', ')}.`,
      { nextStep: say`Set HOME, or name the files with their whole paths.` },
    )
  }
  const own = targets.filter(
    ({ paths }) => ownFolder !== null && paths.some((path) => isWithin(path, ownFolder, machine)),
  )
  if (own.length === 0) return targets
  throw new CodedError(
    'config_invalid',
    say`FEISHU_DELIVER_TO: ${own.map(({ name }) => quote(name)).join(', ')} is in FEISHU_TOKEN_DIR, which is only for this program.`,
    { nextStep: say`Name a file elsewhere in FEISHU_DELIVER_TO.` },
  )
}

function trimTarget(text: string): string {
  return text.trim().replace(/(?:,\s*)+$/, '')
}
