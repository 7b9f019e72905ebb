import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Every document that a reader meets. */
export const DOCUMENTS: readonly string[] = [
  'README.md',
  ...readdirSync('docs')
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
]

function blocks(path: string, language: RegExp): string[] {
  const found = readFileSync(path, 'utf8').matchAll(/^```(\w*)\n([\s\S]*?)^```/gm)
  return [...found].flatMap(([, name = '', text = '']) => (language.test(name) ? [text] : []))
}

/** A document's TOML blocks. */
export function tomlBlocks(path: string): string[] {
  return blocks(path, /^toml$/)
}

/** The lines of a document's shell blocks, those over several lines as one. */
export function shellLines(path: string): string[] {
  return blocks(path, /^(sh|bash)$/).flatMap((text) =>
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

/** A line as somebody types it who has put the path of this clone in its place. */
export function typed(line: string): string {
  return line.replaceAll('/path/to/feishu-token-mcp', resolve('.'))
}
