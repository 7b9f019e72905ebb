import { describe, expect, test } from 'vitest'
import { parseTargets } from '../../src/delivery/targets.ts'
import { CodedError } from '../../src/errors.ts'
import type { Machine } from '../../src/machine/system.ts'

const LINUX: Machine = { platform: 'linux', home: '/home/ada', environment: {} }
const MAC: Machine = { platform: 'darwin', home: '/Users/ada', environment: {} }
const WINDOWS: Machine = {
  platform: 'win32',
  home: 'C:\\Users\\ada',
  environment: {
    APPDATA: 'C:\\Users\\ada\\AppData\\Roaming',
    LOCALAPPDATA: 'C:\\Users\\ada\\AppData\\Local',
  },
}

function paths(setting: string, machine: Machine): string[] {
  return parseTargets(setting, machine).flatMap((target) => target.paths)
}

const CLINE = 'globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json'
const CODE = ['Code', 'Code - Insiders']

/** Each client's file as its documents name it: below the home, below the folder for applications' data, or elsewhere. */
const FILES: [client: string, format: string, below: 'home' | 'data', files: string[]][] = [
  ['cursor', 'json', 'home', ['.cursor/mcp.json']],
  ['claude-code', 'json', 'home', ['.claude.json']],
  ['claude-desktop', 'json', 'data', ['Claude/claude_desktop_config.json']],
  ['windsurf', 'json', 'home', ['.codeium/windsurf/mcp_config.json']],
  ['vscode', 'json', 'data', CODE.map((app) => `${app}/User/mcp.json`)],
  ['codex', 'toml', 'home', ['.codex/config.toml']],
  ['gemini', 'json', 'home', ['.gemini/settings.json']],
  ['cline', 'json', 'data', CODE.map((app) => `${app}/User/${CLINE}`)],
]

describe.each(FILES)('%s', (client, format, below, files) => {
  test('has its file on Linux', () => {
    const folder = below === 'home' ? '/home/ada' : '/home/ada/.config'
    const [target] = parseTargets(`${client}:lark`, LINUX)
    expect(target).toMatchObject({ name: `${client}:lark`, entry: 'lark', format })
    expect(target?.paths).toEqual(files.map((file) => `${folder}/${file}`))
  })

  test('has its file on macOS', () => {
    const folder = below === 'home' ? '/Users/ada' : '/Users/ada/Library/Application Support'
    expect(paths(`${client}:lark`, MAC)).toEqual(files.map((file) => `${folder}/${file}`))
  })

  test('has its file on Windows, with and without the variables', () => {
    const home = 'C:\\Users\\ada'
    const folder = below === 'home' ? home : `${home}\\AppData\\Roaming`
    const store = `${home}\\AppData\\Local\\Packages\\Claude_pzs8sxrjxfjjc\\LocalCache\\Roaming`
    const usual = files.map((file) => `${folder}/${file}`)
    const expected = client === 'claude-desktop' ? [`${store}/${files[0]}`, ...usual] : usual
    for (const machine of [WINDOWS, { ...WINDOWS, environment: {} }]) {
      expect(paths(`${client}:lark`, machine)).toEqual(expected.map((path) => path.replaceAll('/', '\\')))
    }
  })
})

test('the clients’ own variables move their files', () => {
  const environment = {
    CLAUDE_CONFIG_DIR: '/srv/claude',
    CODEX_HOME: '/srv/codex',
    XDG_CONFIG_HOME: '/srv/config',
  }
  const machine = { ...LINUX, environment }
  expect(paths('claude-code:lark,codex:lark', machine)).toEqual([
    '/srv/claude/.claude.json',
    '/srv/codex/config.toml',
  ])
  expect(paths('claude-desktop:lark', machine)).toEqual([
    '/srv/config/Claude/claude_desktop_config.json',
    '/home/ada/.config/Claude/claude_desktop_config.json',
  ])
})

test('a target ends only at a comma that precedes a known kind', () => {
  const setting = 'mcp:/a,b/c.json#my,server , dotenv:/x,y/.env#TOKEN,\n token-json:~/t,1.json,cursor:lark,'
  expect(parseTargets(setting, LINUX).map(({ name, paths, entry }) => [name, paths[0], entry])).toEqual([
    ['mcp:/a,b/c.json#my,server', '/a,b/c.json', 'my,server'],
    ['dotenv:/x,y/.env#TOKEN', '/x,y/.env', 'TOKEN'],
    ['token-json:~/t,1.json', '/home/ada/t,1.json', ''],
    ['cursor:lark', '/home/ada/.cursor/mcp.json', 'lark'],
  ])
})

test('the name follows the last #, and ~ is the home directory', () => {
  expect(parseTargets('mcp:~/c#/mcp.json#lark', LINUX)[0]).toMatchObject({
    paths: ['/home/ada/c#/mcp.json'],
    entry: 'lark',
  })
  expect(paths('mcp:~\\mcp.json#lark,dotenv:D:\\work\\.env#T', WINDOWS)).toEqual([
    'C:\\Users\\ada\\mcp.json',
    'D:\\work\\.env',
  ])
  expect(paths('token-json:/a/~/t.json', LINUX)).toEqual(['/a/~/t.json'])
})

test('a # in a server’s name is written %23', () => {
  expect(parseTargets('mcp:/a/mcp.json#my%23server', LINUX)[0]).toMatchObject({
    paths: ['/a/mcp.json'],
    entry: 'my#server',
  })
  expect(parseTargets('mcp:/a/mcp.json#50%2523', LINUX)[0]).toMatchObject({ entry: '50%23' })
  expect(parseTargets('cursor:my#server', LINUX)[0]).toMatchObject({ entry: 'my#server' })
})

test('file: names a file of its own', () => {
  const [target] = parseTargets('file:~/feishu,token.txt,cursor:lark', LINUX)
  expect(target).toMatchObject({ format: 'file', paths: ['/home/ada/feishu,token.txt'], entry: '' })
})

test.each([
  ['token-json:/home/ada/.feishu-token-mcp/app.json', LINUX],
  ['mcp:~/.feishu-token-mcp/store/x.json#lark', LINUX],
  ['file:~/x/../.feishu-token-mcp/token', LINUX],
  ['dotenv:/home/ada/.feishu-token-mcp/key/.env#TOKEN', LINUX],
  ['file:~/.Feishu-Token-MCP/token', { ...MAC, home: '/home/ada' }],
])('%s lies in our own folder', (text, machine) => {
  const parse = (folder: string | null) => parseTargets(`cursor:lark,${text}`, machine, folder)
  expect(() => parse('/home/ada/.feishu-token-mcp')).toThrow(`${JSON.stringify(text)} is in FEISHU_TOKEN_DIR`)
  expect(parse('/home/ada/.feishu')).toHaveLength(2)
})

test('without a home directory no path is made up', () => {
  const nobody: Machine = { ...LINUX, home: '' }
  for (const text of ['cursor:lark', 'token-json:~/t.json', 'vscode:lark']) {
    expect(() => parseTargets(text, nobody)).toThrow(/no home directory/)
  }
  const environment = { CLAUDE_CONFIG_DIR: '/srv/claude' }
  expect(paths('claude-code:lark,token-json:/t.json', { ...nobody, environment })).toEqual([
    '/srv/claude/.claude.json',
    '/t.json',
  ])
})

test('a .toml file of any client is read as TOML', () => {
  expect(parseTargets('mcp:/project/.codex/config.toml#lark', LINUX)[0]).toMatchObject({
    format: 'toml',
    topKeys: ['mcp_servers'],
  })
})

test('nothing set means no targets', () => {
  expect(parseTargets(' , ', LINUX)).toEqual([])
})

test.each([
  'vim:lark',
  'Cursor:lark',
  'cursor',
  'cursor:',
  'mcp:/a/b.json',
  'mcp:/a/b.json#',
  'mcp:#lark',
  'dotenv:/a/.env#NOT A NAME',
  'dotenv:/a/.env#A=B',
  'token-json:',
  'token-json:/a/',
  'file:',
  'file:/a/',
  'cursor:la\u0000rk',
  'toString:x',
  'cursor:lark,vscod:lark',
  'token-json:/a/t.json,toekn-json:/b',
])('%j is no target', (text) => {
  expect(() => parseTargets(text, LINUX)).toThrow(CodedError)
})

test('one bad target among good ones is named alone, with the kinds that are known', () => {
  const setting = 'cursor:lark,vscod:lark,dotenv:/a/.env#TOKEN,token-json:/t.json,toekn-json:/b,codex:lark'
  expect(() => parseTargets(setting, LINUX)).toThrow(
    /^FEISHU_DELIVER_TO: "vscod:lark", "toekn-json:\/b" are not targets of a known form \(cursor:SERVER, .*, token-json:PATH, file:PATH\)\.$/,
  )
  expect(() => parseTargets('cursor:lark,vim:lark', LINUX)).toThrow(
    /^FEISHU_DELIVER_TO: "vim:lark" is not a target of a known form/,
  )
})

test('the error names each bad target and the forms allowed', () => {
  const error: unknown = (() => {
    try {
      return parseTargets(`cursor:ok,dotenv:/a#,mcp:${'x'.repeat(500)}`, LINUX)
    } catch (thrown) {
      return thrown
    }
  })()
  expect(error).toMatchObject({ code: 'config_invalid', recovery: 'fix_config' })
  const { message } = error as CodedError
  expect(message).toContain('"dotenv:/a#"')
  expect(message).not.toContain('cursor:ok')
  expect(message.length).toBeLessThan(500)
  for (const form of [
    'cursor:SERVER',
    'mcp:PATH#SERVER',
    'dotenv:PATH#NAME',
    'token-json:PATH',
    'file:PATH',
  ]) {
    expect(message).toContain(form)
  }
})
