// Chinese for people at the command line. The program itself speaks English: in its tools, in `--json`, in what it
// stores. On the way to a person each sentence is looked up here, and what is not found stays English. A test reads the
// sources and fails for a sentence without Chinese, and for Chinese without its sentence.

import { FEISHU_ERRORS, feishuError } from '../oauth/feishu-errors.ts'
import { CHECKS } from './checks.ts'
import { COMMANDS } from './commands.ts'
import { CONNECT } from './connect.ts'
import { DATABASE } from './database.ts'
import { DELIVERY } from './delivery.ts'
import { FEISHU } from './feishu.ts'
import { GATEWAY } from './gateway.ts'
import { SETTINGS } from './settings.ts'
import { STORE } from './store.ts'
import type { Table } from './table.ts'
import { WORDS } from './words.ts'

type Entry = {
  english: string
  chinese: string
  /** How much it says. */
  letters: number
  /** What stands before its first value, and behind it. */
  before: string
  after: string
  /** Made when it is first needed. */
  pattern: RegExp | null
}

const MARKS: Readonly<Record<string, string>> = {
  '.': '。',
  ',': '，',
  ';': '；',
  ':': '：',
  '?': '？',
  '!': '！',
}

/** Twice the longest line of ours, which has several links; the time for a line grows with its square. */
const LONGEST = 6_000

/** What a value may not reach over when a sentence begins with it. */
const WITHIN_SENTENCE = '(?:(?![.;:?] ).)+?'

/** What must follow for a sentence or clause to be over, by how it ends; a value may hold commas and brackets. */
const ENDS = {
  text: '(?=[.,;:?!)]+(?: |$)| \\(|$)',
  mark: '(?=[.,;:]? |[.,;:]?$)',
  hole: '(?=[.;](?: |$)|$)',
}

const HAN = '[\\p{Script=Han}，。；：？！（）“”]'

const NEEDLESS_BLANK = new RegExp(
  `(?<=${HAN}) +(?=[\\p{Script=Han}（“])|(?<=[，。；：？！）”]) +(?=\\S)`,
  'gu',
)

/** Every table, for the lookup and for the test of their completeness. */
export const TABLES: readonly Table[] = [
  COMMANDS,
  SETTINGS,
  CONNECT,
  FEISHU,
  GATEWAY,
  STORE,
  DATABASE,
  CHECKS,
  DELIVERY,
  Object.fromEntries(
    FEISHU_ERRORS.flatMap((number) => {
      const error = feishuError(number)
      return error ? [error.cause, error.remedy].map(({ en, zh }) => [en, zh]) : []
    }),
  ),
]

function hole(text: string, first: boolean): string {
  const [, digits, name] = /^\{(#?)(\w+)\}$/.exec(text) ?? []
  return `(?<${name}>${digits ? '\\d+' : first ? WITHIN_SENTENCE : '.+?'})`
}

/** In the middle of a sentence it begins with a small letter. */
function uncapitalized(text: string): string {
  return /^[A-Z][a-z]/.test(text) ? text.charAt(0).toLowerCase() + text.slice(1) : text
}

function toPattern(english: string): RegExp {
  const parts = english.split(/(\{#?\w+\})/)
  const source = parts.map((part, index) => {
    if (index % 2 === 1) return hole(part, parts[0] === '' && index === 1)
    return part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  })
  const end = english.endsWith('}') ? ENDS.hole : /[?:!)]$/.test(english) ? ENDS.mark : ENDS.text
  return new RegExp(source.join('') + end, 'yu')
}

function toEntries([english, chinese]: [string, string]): Entry[] {
  const letters = english.replace(/\{#?\w+\}/g, '').length
  return [...new Set([english, uncapitalized(english)])].map((spelling) => {
    const [before = '', , after = ''] = spelling.split(/(\{#?\w+\})/)
    return { english: spelling, chinese, letters, before, after, pattern: null }
  })
}

/** Those that say most come first. */
const ENTRIES: readonly Entry[] = TABLES.flatMap((table) => Object.entries(table).flatMap(toEntries)).sort(
  (one, other) => other.letters - one.letters,
)

/** The Chinese of what stands at a place, and where that ends. */
function lookUp(text: string, at: number): { chinese: string; end: number } | null {
  for (const entry of ENTRIES) {
    // Most are ruled out without their pattern, whose making takes the most time.
    if (entry.before ? !text.startsWith(entry.before, at) : !text.includes(entry.after, at + 1)) continue
    entry.pattern ??= toPattern(entry.english)
    entry.pattern.lastIndex = at
    const match = entry.pattern.exec(text)
    if (!match) continue
    const { groups = {} } = match
    const chinese = entry.chinese.replace(/\{(\w+)\}/g, (_, name: string) => translated(groups[name] ?? ''))
    return { chinese, end: at + match[0].length }
  }
  return null
}

/** One sentence or clause after the other. */
function translated(text: string): string {
  let result = ''
  for (let at = 0; at < text.length; ) {
    const found = lookUp(text, at)
    if (found) {
      const mark = /^([.,;:?!])( |$)/.exec(text.slice(found.end))
      result += found.chinese + (MARKS[mark?.[1] ?? ''] ?? '')
      at = found.end + (mark?.[0].length ?? 0)
    } else {
      const next = text.slice(at + 1).search(/(?<=[.,;:?!] +|\()\S/)
      const end = next === -1 ? text.length : at + 1 + next
      result += text.slice(at, end)
      at = end
    }
  }
  return result.replace(NEEDLESS_BLANK, '')
}

/** How many columns of a terminal a text takes: a Chinese character takes two. */
function columns(text: string): number {
  return [...text].reduce(
    (sum, character) => sum + (/[\u2e80-\ua4cf\uf900-\ufaff\uff00-\uff60“”…]/.test(character) ? 2 : 1),
    0,
  )
}

function cell(text: string, width: number): string {
  const chinese = WORDS[text] ?? translated(text)
  return chinese + ' '.repeat(Math.max(0, width - columns(chinese)))
}

/** A line, its columns where they were: `label:   value`, `pass  name: message`, and tables. */
function line(text: string): string {
  // The lines of a diff are somebody else's text.
  if (text.length > LONGEST || /^(?:[-+]|@@)/.test(text)) return text
  const [, mark = '', gap = '', label = '', blanks = '', value = ''] =
    /^(?:(pass|warn|fail|skip)( +))?([a-z_ ]+:)( +)(.+)$/.exec(text) ?? []
  if (WORDS[label]) {
    const start = mark && cell(mark, mark.length + gap.length)
    return start + cell(label, mark ? 0 : label.length + blanks.length) + cell(value, 0)
  }
  // Cells at the even places, the blanks behind them at the odd ones.
  const cells = text.split(/( {2,})/)
  return cells
    .map((part, index) => {
      if (index % 2 === 1) return index === 1 && cells[0] === '' ? part : ''
      const blanks = cells[index + 1]?.length ?? 0
      return cell(part, blanks > 0 && part !== '' ? columns(part) + blanks : 0)
    })
    .join('')
}

/** The same text in Chinese, line by line. */
export function inChinese(text: string): string {
  return text.split('\n').map(line).join('\n')
}
