import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

type Block = { language: string; text: string }

/** Every document that a reader meets. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  'bench/README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]

/** The text below a heading, up to the next heading of its level or above. */
export function section(title: string, text: string): string {
  const [, level = '', rest = ''] = new RegExp(`^(#+) ${title}$([\\s\\S]*)`, 'm').exec(text) ?? []
  if (level === '') throw new Error(`there is no heading ${title}`)
  const end = new RegExp(`^#{1,${level.length}} `, 'm').exec(
    rest.replace(/^```[\s\S]*?^```/gm, (code) => '.'.repeat(code.length)),
  )
  return end ? rest.slice(0, end.index) : rest
}

/** The code blocks of a text. */
export function blocks(text: string): Block[] {
  return [...text.matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)].map(([, language = '', code = '']) => ({
    language,
    text: code,
  }))
}

/** The cells of the rows of all tables in a text, without their heads. */
export function rows(text: string): string[][] {
  const tables = text.match(/(?:^\|.*\n?)+/gm) ?? []
  const lines = tables.flatMap((table) => table.trimEnd().split('\n').slice(2))
  return lines.map((line) =>
    line
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
}

/** What stands between backticks in a text. */
export function quoted(text: string): string[] {
  return [...text.matchAll(/`([^`\n]+)`/g)].map(([, code = '']) => code)
}

function blocksOf(path: string, language: RegExp): string[] {
  return blocks(readFileSync(path, 'utf8')).flatMap((block) =>
    language.test(block.language) ? [block.text] : [],
  )
}

/** A document's TOML blocks. */
export function tomlBlocks(path: string): string[] {
  return blocksOf(path, /^toml$/)
}

/** The lines of a document's shell blocks, those over several lines as one. */
export function shellLines(path: string): string[] {
  return blocksOf(path, /^(sh|bash)$/).flatMap((text) =>
    text
      .replace(/\\\n\s*/g, '')
      .split('\n')
      .filter((line) => line.trim() !== ''),
  )
}

/** What stands in the running text as something to type: it begins with a program, or asks for a token. */
export function inlineCommands(path: string): string[] {
  const prose = readFileSync(path, 'utf8').replace(/^```[\s\S]*?^```/gm, '')
  return [...prose.matchAll(/`([^`\n]+)`/g)]
    .map(([, code = '']) => code.replaceAll('\\|', '|'))
    .filter((code) =>
      /^(npm|npx|node|printf|openssl|curl|claude|codex|gemini|feishu-token-mcp exec) |\$\(/.test(code),
    )
}

/** A line as somebody types it who stands in this clone, or has put its path in its place. */
export function typed(line: string): string {
  return line.replaceAll('$PWD', resolve('.')).replaceAll('/path/to/feishu-token-mcp', resolve('.'))
}
