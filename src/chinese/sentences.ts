// Sentences in Chinese. Each line of a sentence is found in the tables by its text, exactly; what stands in it is filled
// in. A test reads the sources and names each sentence that has no Chinese.

import {
  commandOf,
  type Door,
  finished,
  inEnglish,
  isSaid,
  lineOf,
  Sentence,
  toolOf,
  type Value,
} from '../sentence.ts'
import { ADOPT } from './adopt.ts'
import { CHECKS } from './checks.ts'
import { COMMANDS } from './commands.ts'
import { CONNECT } from './connect.ts'
import { DATABASE } from './database.ts'
import { DELIVERY } from './delivery.ts'
import { FEISHU } from './feishu.ts'
import { GATEWAY } from './gateway.ts'
import { HELP } from './help.ts'
import { SETTINGS } from './settings.ts'
import { STORE } from './store.ts'
import type { Table } from './table.ts'
import { TIMER } from './timer.ts'
import { WORDS } from './words.ts'

/** One for each part of the program. */
export const TABLES: readonly Table[] = [
  HELP,
  COMMANDS,
  SETTINGS,
  FEISHU,
  STORE,
  DATABASE,
  CHECKS,
  DELIVERY,
  GATEWAY,
  TIMER,
  CONNECT,
  ADOPT,
  WORDS,
]

const MARKS: Readonly<Record<string, string>> = {
  ',': '，',
  ';': '；',
  ':': '：',
  '.': '。',
  '(': '（',
  ')': '）',
}

const HOLE = /\{(\w+)\}/

/** Chinese text needs no blank before or behind it, and no mark of Chinese one behind it; what ends a colour is neither. */
const ENDS_CHINESE = /[\p{Script=Han}，。；：？！（）“”…](?:\x1b\[\d+m)* ?$/u
const BEGINS_CHINESE = /^ ?[\p{Script=Han}（“，。；：]/u
const ENDS_WITH_MARK = /[，。；：？！）”](?:\x1b\[\d+m)* ?$/u

/** Text with `{}` for each value → the names of its values, and the Chinese. */
const CHINESE: ReadonlyMap<string, { holes: string[]; chinese: string }> = new Map(
  TABLES.flatMap((table) =>
    Object.entries(table).map(([english, chinese]) => {
      const holes = english.split(HOLE).filter((_, index) => index % 2 === 1)
      return [english.replace(/\{\w+\}/g, '{}'), { holes, chinese }] as const
    }),
  ),
)

/** The lines of a sentence, each a sentence. */
export function linesOf({ texts, values }: Sentence): Sentence[] {
  const lines: Sentence[] = []
  let line: { texts: string[]; values: Value[] } = { texts: [], values: [] }
  texts.forEach((text, index) => {
    const [first = '', ...others] = text.split('\n')
    line.texts.push(first)
    for (const other of others) {
      lines.push(new Sentence(line.texts, line.values))
      line = { texts: [other], values: [] }
    }
    const value = values[index]
    if (value !== undefined) line.values.push(value)
  })
  return [...lines, new Sentence(line.texts, line.values)].map(withBraces)
}

/** What a text says in braces itself, such as {token}, is a value as well: the tables cannot tell it from one. */
function withBraces({ texts, values }: Sentence): Sentence {
  const parts = texts.map((text) => text.split(/(\{\w+\})/))
  const all = parts.flatMap((pieces, index) => {
    const own = pieces.filter((_, at) => at % 2 === 1)
    const next = values[index]
    return next === undefined ? own : [...own, next]
  })
  return new Sentence(
    parts.flatMap((pieces) => pieces.filter((_, at) => at % 2 === 0)),
    all,
  )
}

/** What a line is found by, and what stands around that. */
export function keyOf({ texts }: Sentence): { indent: string; key: string; stop: boolean } {
  const text = texts.join('{}')
  const indent = /^ */.exec(text)?.[0] ?? ''
  return { indent, key: text.slice(indent.length).replace(/\.$/, ''), stop: text.endsWith('.') }
}

/** Whether a line says anything but its values. */
export function hasWords(key: string): boolean {
  return /\p{Letter}/u.test(key)
}

/** The sentence in Chinese; in English where its Chinese is not known, as of one that another version has stored. */
export function inChinese(sentence: Sentence, door: Door): string {
  const { form } = sentence
  if (!isSaid(form, door)) return ''
  const said = linesOf(sentence)
    .map((line) => lineInChinese(line, door, form.open ?? false))
    .join('\n')
  return finished(said, form, door)
}

function lineInChinese(line: Sentence, door: Door, open: boolean): string {
  const { indent, key, stop } = keyOf(line)
  const { texts, values } = line
  const found = CHINESE.get(key)
  if (!found && !hasWords(key)) {
    const said = joined(texts.flatMap((text, index) => [inMarks(text), callOr(values[index], door)]))
    return open ? said.replace(/。$/, '') : said
  }
  if (!found) return inEnglish(new Sentence(texts, values, open ? { open } : {}), door)
  const pieces = found.chinese.split(HOLE).map((piece, index) => {
    return index % 2 === 0 ? piece : valueInChinese(values[found.holes.indexOf(piece)], door)
  })
  return indent + joined([...pieces, stop && !open ? '。' : ''])
}

/** A text that has no words, with the marks of Chinese. */
function inMarks(text: string): string {
  return text.replace(/([,;:.]) |([.()])/g, (_, mark, alone) => MARKS[mark ?? alone] ?? '')
}

/** A cell keeps its blanks. */
type Piece = string | { cell: string }

function valueInChinese(value: Value | undefined, door: Door): Piece {
  if (value === undefined) return ''
  if (value instanceof Sentence) {
    const said = inChinese(value, door)
    return value.form.width === undefined ? said : { cell: said }
  }
  if (typeof value !== 'object') return String(value)
  if ('typed' in value) return lineOf(value, door)
  return 'zh' in value ? value.zh : door ? commandOf(value, door) : `\`${toolOf(value)}\``
}

/** Where no other word says so, a call is to be called. */
function callOr(value: Value | undefined, door: Door): Piece {
  const said = valueInChinese(value, door)
  return typeof value === 'object' && 'call' in value ? `请运行 ${said}` : said
}

/** Pieces without the blanks that Chinese does without. */
function joined(pieces: readonly Piece[]): string {
  let fixed = false
  return pieces.reduce<string>((said, piece) => {
    const text = typeof piece === 'string' ? piece : piece.cell
    const needless = ENDS_WITH_MARK.test(said) || (ENDS_CHINESE.test(said) && BEGINS_CHINESE.test(text))
    const kept = needless && !fixed ? said.replace(/ $/, '') : said
    if (text !== '') fixed = typeof piece !== 'string'
    return kept + (needless && !fixed ? text.replace(/^ /, '') : text)
  }, '')
}
