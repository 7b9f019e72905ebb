import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'
import { type Started, startedAs, startLine } from '../../src/cli/started.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_LINKS, NO_POSIX, testIf } from '../support/needs.ts'

/** A machine of files: Node where a version manager keeps it, and the folders that the desktop looks in. */
function makeMachine() {
  const root = makeFolder()
  const put = (path: string, text = '') => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    chmodSync(file, 0o755)
    return file
  }
  const link = (path: string, to: string) => {
    const file = join(root, path)
    mkdirSync(dirname(file), { recursive: true })
    symlinkSync(to, file)
    return file
  }
  const folders = [join(root, 'usr/bin')]
  const started = (node: string, script: string, PATH = ''): Started => ({
    platform: 'linux',
    environment: { PATH },
    node,
    script,
  })
  return { root, put, link, folders, started }
}

/** What npx leaves beside what it runs. */
function npxScript(machine: ReturnType<typeof makeMachine>, asked: string): string {
  machine.put('cache/_npx/a1b2/package.json', JSON.stringify({ _npx: { packages: [asked] } }))
  return machine.put('cache/_npx/a1b2/node_modules/.bin/feishu-token-mcp')
}

test('a program is named as it was started, whatever started its shell', () => {
  const machine = makeMachine()
  expect(startedAs({ script: '/src/dist/main.js' })).toBe('node /src/dist/main.js')
  expect(startedAs({ script: '/my files/main.js' })).toBe('node "/my files/main.js"')
  expect(startedAs({ script: "/home/o'neil/r&d/main.js" })).toBe(`node "/home/o'neil/r&d/main.js"`)
  expect(startedAs({ script: 'C:\\飞书\\main.js' })).toBe('node C:\\飞书\\main.js')
  expect(startedAs({ script: '/usr/bin/feishu-token-mcp' })).toBe('feishu-token-mcp')
  expect(startedAs({ script: npxScript(machine, 'feishu-token-mcp@1.2.3') })).toBe(
    'npx -y feishu-token-mcp@1.2.3',
  )
})

test.each(['/home/kim/feishu-token-mcp.tgz', 'github:kim/feishu-token-mcp', 'feishu-token-mcp-x'])(
  'npx that was asked for %s is not told to fetch our name from the registry',
  (asked) => {
    const script = npxScript(makeMachine(), asked)
    expect(startedAs({ script })).toBe(`node ${script}`)
  },
)

testIf(NO_LINKS)('plain names are written where the folders of the desktop lead to the same files', () => {
  const machine = makeMachine()
  const { started, folders } = machine
  const node = machine.put('opt/node-22/bin/node')
  machine.link('usr/bin/node', node)
  expect(startLine(started(node, '/src/main.js'), folders)).toEqual({
    command: 'node',
    args: ['/src/main.js'],
  })
  const script = npxScript(machine, 'feishu-token-mcp')
  expect(startLine(started(node, script), folders)).toEqual({
    command: 'npx',
    args: ['-y', 'feishu-token-mcp'],
  })
  const main = machine.put('usr/lib/node_modules/feishu-token-mcp/dist/main.js')
  const installed = machine.link('usr/bin/feishu-token-mcp', main)
  expect(startLine(started(node, installed), folders)).toEqual({ command: 'feishu-token-mcp', args: [] })
})

testIf(NO_LINKS)(
  'where only a shell finds Node, its path is written: nvm, although another Node is installed',
  () => {
    const machine = makeMachine()
    machine.put('usr/bin/node')
    const node = machine.put('home/.nvm/versions/node/v22.1.0/bin/node')
    const started = machine.started(node, '/src/main.js', dirname(node))
    expect(startLine(started, machine.folders)).toEqual({ command: node, args: ['/src/main.js'] })
    const main = machine.put('home/.nvm/versions/node/v22.1.0/lib/node_modules/feishu-token-mcp/dist/main.js')
    const name = machine.link('home/.nvm/versions/node/v22.1.0/bin/feishu-token-mcp', main)
    expect(startLine({ ...started, script: name }, machine.folders)).toEqual({ command: node, args: [name] })
  },
)

testIf(NO_LINKS)(
  'fnm: not the folder that ends with the shell; Homebrew: the link that outlives an upgrade',
  () => {
    const machine = makeMachine()
    const node = machine.put('home/.local/share/fnm/node-versions/v22.1.0/installation/bin/node')
    const shell = machine.link('run/fnm_multishells/17_42/bin/node', node)
    const lines = (path: string) =>
      startLine(machine.started(node, '/src/main.js', dirname(path)), machine.folders).command
    expect(lines(shell)).toBe(node)
    expect(lines(machine.link('opt/homebrew/bin/node', node))).toBe(
      join(machine.root, 'opt/homebrew/bin/node'),
    )
    // Volta's and asdf's stand for no single version.
    expect(lines(machine.put('home/.volta/bin/node'))).toBe(node)
  },
)

testIf(NO_POSIX)('npx of such a Node gets the PATH in which it finds Node', () => {
  const machine = makeMachine()
  const node = machine.put('home/.nvm/versions/node/v22.1.0/bin/node')
  const script = npxScript(machine, 'feishu-token-mcp')
  expect(startLine(machine.started(node, script), machine.folders)).toEqual({
    command: join(dirname(node), 'npx'),
    args: ['-y', 'feishu-token-mcp'],
    env: { PATH: [dirname(node), ...machine.folders].join(':') },
  })
})

test('on macOS the desktop knows neither Homebrew nor /usr/local', () => {
  const machine = makeMachine()
  const node = machine.put('usr/local/bin/node')
  const started = { ...machine.started(node, '/src/main.js'), platform: 'darwin' as const }
  expect(startLine(started)).toEqual({ command: node, args: ['/src/main.js'] })
})
