// The documents against the program: what they name exists, and what exists is named.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parse as parseToml } from 'smol-toml'
import { describe, expect, test } from 'vitest'
import { readArgv } from '../../src/cli/argv.ts'
import type { Terminal } from '../../src/cli/io.ts'
import { runCli } from '../../src/cli/run.ts'
import { readConfig } from '../../src/config/config.ts'
import { parseTargets } from '../../src/delivery/targets.ts'
import { knownKinds } from '../delivery/home.ts'
import { blocks, DOCUMENTS, quoted, rows, section } from '../support/document.ts'
import { PROGRAM_LINES } from './program-lines.ts'

const packageJson = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }

/** What GitHub makes of a heading's text. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

/** The names of all settings, from the program itself: what it asks its environment for. */
function settingsRead(): Set<string> {
  const read = new Set<string>()
  const spy = new Proxy({} as Record<string, string>, {
    get: (_, name) => void read.add(String(name).toUpperCase()),
  })
  readConfig(spy, '/home/somebody', 'linux')
  // Named as a danger, not as a setting.
  read.delete('NODE_TLS_REJECT_UNAUTHORIZED')
  // Node's own, read by nobody here.
  read.add('NODE_EXTRA_CA_CERTS')
  return read
}

/** Commands and their options, each as the help shows it. */
async function usages(): Promise<string[]> {
  let help = ''
  const terminal = {
    command: 'feishu-token-mcp',
    environment: { FEISHU_LANG: 'en' },
    width: { stdout: null, stderr: null },
    over: new Promise(() => undefined),
    stdout: (text: string) => {
      help += text
    },
  } as unknown as Terminal
  expect(await runCli(readArgv(['--help']), terminal)).toBe(0)
  // A form a line, a long one on several.
  const blocks = help.replaceAll('\n        ', ' ').matchAll(/(?:^ {2}\w.*\n)+/gm)
  const found = [...blocks].map(([forms]) => forms.trim().replaceAll('\n  ', ' | '))
  expect(found.length).toBeGreaterThan(7)
  return found
}

describe.each([
  ['README.md', 'Try it', 'Test it'],
  ['docs/README.zh-CN.md', '试一试', '运行测试'],
])('%s', (path, tryIt, testIt) => {
  const text = readFileSync(path, 'utf8')

  test('begins each of the two with the command that does all of it', () => {
    expect(blocks(section(tryIt, text))[0]?.text.trim()).toBe('npm ci && npm run demo')
    expect(blocks(section(testIt, text))[0]?.text.trim()).toBe('npm ci && npm test')
  })

  test('names the defaults of settings as docs/settings.md does', () => {
    const all = rows(readFileSync('docs/settings.md', 'utf8'))
    const named = rows(section(path === 'README.md' ? 'Settings' : '设置项', text))
    expect(named.length).toBeGreaterThan(0)
    for (const [cell = '', value = ''] of named) {
      const settings = quoted(cell)
      const found = all.find(([names = '']) => settings.every((name) => quoted(names).includes(name)))
      expect(found, cell).toBeDefined()
      if (!settings.includes('FEISHU_SCOPES')) expect(quoted(value), cell).toEqual(quoted(found?.[1] ?? ''))
    }
  })
})

describe('the pages of reference', () => {
  test('docs/settings.md has every setting that the program reads, and no other', () => {
    const named = rows(readFileSync('docs/settings.md', 'utf8')).flatMap(([cell = '']) => quoted(cell))
    expect(named.toSorted()).toEqual([...settingsRead()].toSorted())
  })

  test('docs/errors.md has every error code with its recovery', () => {
    const source = readFileSync('src/errors.ts', 'utf8')
    const codes = [...source.matchAll(/^ {2}(\w+): '(\w+)',$/gm)].map(([, code, recovery]) => [
      `\`${code}\``,
      `\`${recovery}\``,
    ])
    expect(codes.length).toBeGreaterThan(20)
    const named = rows(section('Error codes', readFileSync('docs/errors.md', 'utf8')))
    expect(named.map(([code, recovery]) => [code, recovery]).toSorted()).toEqual(codes.toSorted())
  })

  test('docs/commands.md has every command as the help shows it', async () => {
    const named = rows(readFileSync('docs/commands.md', 'utf8')).map(([cell = '']) =>
      cell.replaceAll('`', '').replaceAll('\\|', '|'),
    )
    expect(named.toSorted()).toEqual((await usages()).toSorted())
  })

  test('every delivery target is of a form that the program takes', () => {
    const clients = readFileSync('docs/clients.md', 'utf8')
    const machine = { platform: 'linux', home: '/home/somebody', environment: {} } as const
    const targets = quoted(section('Deliver', clients)).filter((text) => /^[a-z-]+:(?!\/\/)\S+$/.test(text))
    for (const target of targets) expect(parseTargets(target, machine)).toHaveLength(1)
    const kinds = new Set(targets.map((target) => target.split(':')[0]))
    for (const kind of kinds) expect(section('Delivery targets', clients)).toContain(`\`${kind}`)
    expect([...kinds].sort()).toEqual(knownKinds().sort())
  })

  test('the lines for programs are those of the program’s table, in every document', () => {
    for (const path of DOCUMENTS) {
      const text = readFileSync(path, 'utf8')
      const lines = quoted(text).filter((code) => code.includes('exec --for ') && code.includes(' -- '))
      expect(
        lines.filter((line) => !PROGRAM_LINES.includes(line)),
        path,
      ).toEqual([])
      // A variable alone is no line for a program that has one.
      expect(text).not.toMatch(/(?:LARKSUITE_CLI_|FEISHU_)USER_ACCESS_TOKEN=\$/)
    }
    expect(quoted(readFileSync('docs/clients.md', 'utf8'))).toEqual(
      expect.arrayContaining([...PROGRAM_LINES]),
    )
  })
})

describe('the Chinese README', () => {
  const chinese = readFileSync('docs/README.zh-CN.md', 'utf8')

  test('types nothing and names nothing that the English documents do not', () => {
    const english = DOCUMENTS.filter((path) => path !== 'docs/README.zh-CN.md').map((path) =>
      readFileSync(path, 'utf8'),
    )
    const known = new Set(
      english.flatMap((text) => [...quoted(text), ...blocks(text).map(({ text }) => text)]),
    )
    const used = [
      ...quoted(chinese.replace(/^```[\s\S]*?^```/gm, '')),
      ...blocks(chinese).map(({ text }) => text),
    ]
    expect(used.filter((code) => !known.has(code))).toEqual([])
  })

  test('holds none of the phrases that read translated', () => {
    const said =
      /会自动授权|让凭证临近过期|创建应用、保存应用凭证、把服务添加到助手|缺少依赖的测试会自动跳过|批准/
    expect(chinese.split('\n').filter((line) => said.test(line))).toEqual([])
  })

  test('leaves no sentence in English', () => {
    const prose = chinese.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`|\]\([^)]*\)/g, '')
    expect(prose.match(/(?:\b[A-Za-z]{2,}[ ,]+){3}[A-Za-z]{2,}/g)).toBeNull()
  })
})

describe.each(DOCUMENTS)('%s', (path) => {
  const text = readFileSync(path, 'utf8')

  test('its JSON and TOML can be parsed', () => {
    for (const block of blocks(text)) {
      if (block.language === 'json') expect(() => JSON.parse(block.text), block.text).not.toThrow()
      if (block.language === 'toml') expect(() => parseToml(block.text), block.text).not.toThrow()
    }
  })

  test('names no setting that the program does not read', () => {
    const read = settingsRead()
    // Read by other programs, by tests, or only named as what must not be set.
    const others =
      /^FEISHU_(USER_ACCESS_TOKEN|USER_TOKEN|ACCESS_TOKEN|MCP_UAT|BASE_URL|OPEN_BASE_URL|AUTH_MODE|DOMAIN|KEY|TEST_\w+)$/
    const named = new Set(text.match(/\bFEISHU_[A-Z_]+\b/g))
    expect([...named].filter((name) => !read.has(name) && !others.test(name))).toEqual([])
  })

  test('its links and pictures lead somewhere', () => {
    for (const [, link = ''] of text.matchAll(/(?:\]\(|src=")([^)\s"]+)/g)) {
      if (/^https:/.test(link)) continue
      const [file = '', fragment] = link.split('#')
      const target = file === '' ? path : join(dirname(path), file)
      expect(existsSync(target), link).toBe(true)
      if (fragment === undefined) continue
      const headings = readFileSync(target, 'utf8').match(/^#+ .*$/gm) ?? []
      expect(
        headings.map((heading) => anchor(heading.replace(/^#+ /, ''))),
        link,
      ).toContain(fragment)
    }
  })

  test('the files and scripts that it names exist', () => {
    const paths = [...text.matchAll(/(?:^|[\s`(])((?:src|test|docs|bench|\.ci)\/[\w./-]*\w)/gm)].map(
      ([, name = '']) => name,
    )
    expect(paths.filter((name) => !existsSync(name))).toEqual([])
    const scripts = [...text.matchAll(/npm run ([\w:]+)/g)].map(([, name = '']) => name)
    expect(scripts.filter((name) => !(name in packageJson.scripts))).toEqual([])
  })
})
