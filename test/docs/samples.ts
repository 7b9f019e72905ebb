// The documents' samples as they would be today: each stands in a code block below a comment that names it.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withNumbers } from './error-numbers.ts'
import { drawFlow } from './flow.ts'
import { drawMoment } from './moment.ts'
import { playMoment } from './moment-run.ts'
import { runForDocuments } from './run.ts'
import { drawTerminal } from './terminal.ts'

/** A value that is longer gets lines of its own. */
const INLINE = 100
/** A sentence that is longer is cut: the sample shows its kind, the tool tells all of it. */
const LONGEST = 240

function shortened(text: string): string {
  if (text.length <= LONGEST) return text
  const cut = text.lastIndexOf('; ', LONGEST)
  return `${text.slice(0, cut === -1 ? LONGEST : cut + 1)} …`
}

function pretty(value: unknown): string {
  const short = (_: string, part: unknown) => (typeof part === 'string' ? shortened(part) : part)
  const lines = JSON.stringify(value, short, 2)
  const inline = JSON.stringify(value, short, 1)
    .replace(/\n\s*/g, ' ')
    .replace(/\[ /g, '[')
    .replace(/ \]/g, ']')
  return inline.length <= INLINE ? inline : lines.replaceAll('\n', '\n  ')
}

function json(facts: Record<string, unknown>): string {
  const lines = Object.entries(facts).map(([name, value]) => `  ${JSON.stringify(name)}: ${pretty(value)}`)
  return `{\n${lines.join(',\n')}\n}\n`
}

/** Puts a sample into every block that a comment `<!-- sample: NAME -->` announces. */
function withSamples(text: string, samples: Record<string, string>): string {
  return text.replace(
    /^(<!-- sample: (\w+) -->\n+```\w+\n)[\s\S]*?^```/gm,
    (_, head: string, name: string) => {
      if (!(name in samples)) throw new Error(`there is no sample ${name}`)
      return `${head}${samples[name]}\`\`\``
    },
  )
}

/** Path → what it holds when everything is current: the documents with samples, and the pictures. */
export async function currentDocuments(): Promise<Map<string, string>> {
  const { start, status, refresh, failure, terminal } = await runForDocuments()
  const samples = {
    start_authorization: json(start),
    token_status: json(status),
    refresh_token: json(refresh),
    failure: `${failure}\n`,
  }
  const documents = ['README.md', ...readdirSync('docs').map((name) => join('docs', name))].filter((path) =>
    path.endsWith('.md'),
  )
  return new Map([
    ...documents.map((path): [string, string] => [
      path,
      withNumbers(withSamples(readFileSync(path, 'utf8'), samples)),
    ]),
    ['docs/figures/moment.svg', drawMoment(await playMoment('en'), 'en')],
    ['docs/figures/moment.zh-CN.svg', drawMoment(await playMoment('zh'), 'zh')],
    ['docs/figures/terminal.svg', drawTerminal(terminal, 'login, refresh and exec in a terminal')],
    ['docs/figures/flow.svg', drawFlow('en')],
    ['docs/figures/flow.zh-CN.svg', drawFlow('zh')],
  ])
}
