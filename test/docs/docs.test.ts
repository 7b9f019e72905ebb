// The documents against the program: what they name exists, and what exists is named.

import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js'
import type { Tool } from '@modelcontextprotocol/sdk/types.js'
import { parse as parseToml } from 'smol-toml'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Terminal } from '../../src/cli/io.ts'
import { runCli } from '../../src/cli/run.ts'
import { readConfig } from '../../src/config/config.ts'
import { parseTargets } from '../../src/delivery/targets.ts'
import { PROGRAMS, type ProgramName, programLine } from '../../src/hand-over/programs.ts'
import { PAGE_ERRORS } from '../../src/oauth/feishu-errors.ts'
import { knownKinds } from '../delivery/home.ts'

type Block = { language: string; text: string }

const DOCUMENTS = [
  'README.md',
  'bench/README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]
const readme = readFileSync('README.md', 'utf8')
const packageJson = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> }

/** The text below a heading, up to the next heading of its level or above. */
function section(title: string, text: string = readme): string {
  const [, level = '', rest = ''] = new RegExp(`^(#+) ${title}$([\\s\\S]*)`, 'm').exec(text) ?? []
  if (level === '') throw new Error(`there is no heading ${title}`)
  const end = new RegExp(`^#{1,${level.length}} `, 'm').exec(
    rest.replace(/^```[\s\S]*?^```/gm, (code) => '.'.repeat(code.length)),
  )
  return end ? rest.slice(0, end.index) : rest
}

function blocks(text: string): Block[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(([, language = '', code = '']) => ({
    language,
    text: code,
  }))
}

/** The cells of a table's rows, without its head. */
function rows(text: string): string[][] {
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
}

/** What GitHub makes of a heading's text. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

describe('README', () => {
  test('the two commands that set everything up stand first', () => {
    expect(readme.match(/^## .*$/gm)?.slice(0, 2)).toEqual(['## Try it', '## Test it'])
    expect(blocks(section('Try it'))[0]?.text.trim()).toBe('npm ci && npm run demo')
    expect(blocks(section('Test it'))[0]?.text.trim()).toBe('npm ci && npm test')
  })

  test('every setting that the program reads is in the table, and no other', () => {
    const read = new Set<string>()
    const spy = new Proxy({} as Record<string, string>, {
      get: (_, name) => void read.add(String(name).toUpperCase()),
    })
    readConfig(spy, '/home/somebody', 'linux')
    // Named as a danger, not as a setting.
    read.delete('NODE_TLS_REJECT_UNAUTHORIZED')
    // Node's own, read by nobody here.
    read.add('NODE_EXTRA_CA_CERTS')
    const named = rows(section('Settings')).flatMap(([cell = '']) => quoted(cell))
    expect(named.toSorted()).toEqual([...read].toSorted())
    // Read by other programs.
    for (const name of ['FEISHU_USER_ACCESS_TOKEN', 'FEISHU_USER_TOKEN']) read.add(name)
    expect([...new Set(readme.match(/\bFEISHU_[A-Z_]+\b/g))].filter((name) => !read.has(name))).toEqual([])
  })

  test('every error code is in the table with its recovery', () => {
    const source = readFileSync('src/errors.ts', 'utf8')
    const codes = [...source.matchAll(/^ {2}(\w+): '(\w+)',$/gm)].map(([, code, recovery]) => [
      `\`${code}\``,
      `\`${recovery}\``,
    ])
    expect(codes.length).toBeGreaterThan(20)
    expect(rows(section('Error codes')).map(([code, recovery]) => [code, recovery])).toEqual(codes)
  })

  test('every number of Feishu’s own page is explained', () => {
    const named = rows(section("Numbers on Feishu's own page")).map(([number]) => Number(number))
    expect(named.toSorted()).toEqual(PAGE_ERRORS.toSorted())
  })

  test.each([
    ['README.md', 'Commands', 'en'],
    ['docs/README.zh-CN.md', '命令', 'zh'],
  ])('every command is in the table of %s as the help shows it', async (path, title, language) => {
    let help = ''
    const terminal = {
      command: 'feishu-token-mcp',
      environment: { FEISHU_LANG: language },
      isTerminal: { stdout: false, stderr: false },
      over: new Promise(() => undefined),
      stdout: (text: string) => {
        help += text
      },
    } as unknown as Terminal
    expect(await runCli(['--help'], terminal)).toBe(0)
    const usages = [...help.matchAll(/^ {2}(\w.*)$/gm)].map(([, usage]) => usage)
    expect(usages.length).toBeGreaterThan(7)
    const named = rows(section(title, readFileSync(path, 'utf8'))).map(([cell = '']) =>
      cell.replaceAll('`', '').replaceAll('\\|', '|'),
    )
    expect(named.toSorted()).toEqual(usages.toSorted())
  })

  test('every delivery target is of a form that the program takes', () => {
    const machine = { platform: 'linux', home: '/home/somebody', env: {} } as const
    const targets = quoted(section('Deliver')).filter((text) => /^[a-z-]+:(?!\/\/)\S+$/.test(text))
    for (const target of targets) expect(parseTargets(target, machine)).toHaveLength(1)
    const kinds = new Set(targets.map((target) => target.split(':')[0]))
    for (const kind of kinds) expect(readFileSync('docs/clients.md', 'utf8')).toContain(`\`${kind}`)
    expect([...kinds].sort()).toEqual(knownKinds().sort())
  })

  test('the lines for programs are those of the table, in every document', () => {
    const lineOf = (name: string) => programLine(name as ProgramName)
    const known = Object.keys(PROGRAMS).map(lineOf)
    for (const path of ['README.md', 'docs/README.zh-CN.md', 'docs/clients.md']) {
      const text = readFileSync(path, 'utf8')
      const lines = quoted(text).filter((code) => code.includes('exec --for '))
      expect(lines.filter((line) => !known.includes(line))).toEqual([])
      expect(lines, path).toEqual(expect.arrayContaining(['lark-cli', 'feishu-cli'].map(lineOf)))
      // A variable alone is no line for a program that has one.
      expect(text).not.toMatch(/(?:LARKSUITE_CLI_|FEISHU_)USER_ACCESS_TOKEN=\$/)
    }
    expect(quoted(readFileSync('docs/clients.md', 'utf8'))).toEqual(expect.arrayContaining(known))
  })

  test('the rule for assistants has ten lines', () => {
    expect(blocks(section('A rule for assistants'))[0]?.text.trim().split('\n')).toHaveLength(10)
  })
})

describe('the Chinese README', () => {
  const chinese = readFileSync('docs/README.zh-CN.md', 'utf8')
  // The table of figures is written by the benchmark, into the English one alone.
  const english = readme.replace(/<!-- figures: [\s\S]*?<!-- figures end -->\n*/g, '')
  const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```/gm, '')
  /** The text between one heading and the next, whatever their levels. */
  const sections = (text: string) => withoutCode(text).split(/^#+ .*$/m)
  const levels = (text: string) => withoutCode(text).match(/^#+(?= )/gm)

  test('has the same sections', () => {
    expect(levels(chinese)).toEqual(levels(english))
  })

  test('says as much in each section, line by line', () => {
    const lines = (text: string) =>
      sections(text.replace(/^<!--.*-->\n/gm, '')).map(
        (part) => part.split('\n').filter((line) => line !== '').length,
      )
    expect(lines(chinese)).toEqual(lines(english))
  })

  test('has the same code; trees and rules, which are told in Chinese, line by line', () => {
    const comparable = (text: string) =>
      blocks(text).map(({ language, text }) => {
        const prose = language === 'text' && /^src\/|^1\. /.test(text)
        return prose ? text.split('\n').map((line) => /^[│├└─ ]*[\w./-]*/u.exec(line)?.[0]) : text
      })
    expect(comparable(chinese)).toEqual(comparable(english))
  })

  test('links to the same places', () => {
    const targets = (text: string, folder: string) =>
      [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) =>
        /^(?:https:|#)/.test(link) ? link.replace(/#.*/, '#') : join(folder, link),
      )
    // Each leads to the other.
    const [other, ...links] = targets(chinese, 'docs')
    const [own, ...expected] = targets(english, '.')
    expect([other, own]).toEqual(['README.md', 'docs/README.zh-CN.md'])
    // A picture with words in it is another one.
    expect(links.map((link) => link.replace('.zh-CN.svg', '.svg'))).toEqual(expected)
    expect(links).toContain('docs/figures/flow.zh-CN.svg')
  })

  test('has the same tables: rows, names, codes and defaults', () => {
    const comparable = (text: string) =>
      sections(text).map((part) => rows(part).map((cells) => cells.map((cell) => quoted(cell).toSorted())))
    expect(comparable(chinese)).toEqual(comparable(english))
  })

  test('names the same commands, settings and values in each section', () => {
    const names = (text: string) => sections(text).map((part) => [...new Set(quoted(part))].toSorted())
    expect(names(chinese)).toEqual(names(english))
  })

  test('leaves no sentence in English', () => {
    const prose = sections(chinese)
      .join('\n')
      .replace(/`[^`\n]*`/g, '')
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

  test('its links lead somewhere', () => {
    for (const [, link = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
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

/** The answer of a server that is started as mcp.json.example says, with `filled` in its env. */
async function startExample(filled: Record<string, string>): Promise<Client> {
  const { mcpServers } = JSON.parse(readFileSync('mcp.json.example', 'utf8'))
  const { command, args, env } = mcpServers['feishu-token']
  expect(command).toBe('node')
  const client = new Client({ name: 'test', version: '1.0.0' })
  const real = args.map((argument: string) => argument.replace('/path/to/feishu-token-mcp', process.cwd()))
  await client.connect(
    new StdioClientTransport({
      command: process.execPath,
      args: real,
      env: { ...env, ...filled, HOME: '/nonexistent' },
    }),
  )
  return client
}

test('mcp.json.example is not taken for filled in as it is', async () => {
  const client = await startExample({})
  const { content } = await client.callTool({ name: 'token_status', arguments: {} })
  expect(JSON.stringify(content)).toMatch(
    /FEISHU_APP_SECRET is no App Secret: it is a placeholder.*config_inv/,
  )
  await client.close()
})

describe('the built server, started as mcp.json.example says', () => {
  let home: string
  let client: Client
  let tools: Tool[]

  beforeAll(async () => {
    home = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
    client = await startExample({ FEISHU_APP_SECRET: 'filled-in' })
    tools = (await client.listTools()).tools
  })

  afterAll(async () => {
    await client.close()
    rmSync(home, { recursive: true, force: true })
  })

  test('answers, and takes its settings', async () => {
    const { structuredContent } = await client.callTool({ name: 'token_status', arguments: {} })
    expect(structuredContent).toMatchObject({ status: 'not_authorized', app_id: 'cli_your_app_id' })
  })

  test('has the tools and arguments of the table', () => {
    const table = rows(section('The three tools')).map(([name = '', args = '']) => [name, quoted(args)])
    const real = tools.map(({ name, inputSchema }) => [name, Object.keys(inputSchema.properties ?? {})])
    expect(table.map(([name]) => name)).toEqual(real.map(([name]) => `\`${name}\``))
    for (const [index, [name, args = []]] of real.entries()) {
      expect(table[index]?.[1], String(name)).toEqual(expect.arrayContaining([...args]))
    }
  })

  test('answers with the fields of the samples', () => {
    const samples = blocks(section('The three tools')).filter(({ language }) => language === 'json')
    const fields = samples.map(({ text }) => Object.keys(JSON.parse(text)).toSorted())
    const real = tools.map(({ outputSchema }) => Object.keys(outputSchema?.properties ?? {}).toSorted())
    expect(fields).toEqual(real)
  })
})
