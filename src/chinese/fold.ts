// Lines of a terminal's width: by itself a terminal breaks words wherever a line ends.

import { columns, Sentence } from '../sentence.ts'

/** What stays on one line: a path, a Chinese character, a word, a command, an option with its value; with the marks around it. */
const UNBROKEN =
  / *[（“]*(?:(?<![^ （“"'])(?:~|\w:)?[/\\][^ ，。；：、）”]*|\p{Script=Han}|(?:`[^`]*`|--(?:[a-z-]+ (?:[A-Z][\w=:]*|\w+(?:\|\w+)+|"[^"]*")| CMD …)|[^ \p{Script=Han}，。；：、（“])+|[（“])[，。；：、！？）”]*| +$/gu

const COLOUR = /\x1b\[\d+m/g

/** What further lines are moved in by: blanks, a number, the first column of a table. */
const HANG = /^ *(?:\d+\. |\S+(?: \S+)* {2,})?/

/** Wider lines are hard to read, and a help is read in pipes, too. */
const HELP_COLUMNS = 80

/** The same sentence in lines of at most 80 columns, the further ones moved in by so many. */
export function folded({ texts, values, form }: Sentence, indent: number): Sentence {
  const fold = (text: string, width: number | null) =>
    foldLine(text, indent, Math.min(width ?? HELP_COLUMNS, HELP_COLUMNS))
  return new Sentence(texts, values, { ...form, fold })
}

/** The same sentence, whose lines a terminal leaves as they are: they fit, or will be copied. */
export function laidOut({ texts, values, form }: Sentence): Sentence {
  return new Sentence(texts, values, { ...form, laidOut: true })
}

/** A text with its longer lines folded, each below its own beginning. */
export function fold(text: string, width: number): string {
  return text
    .split('\n')
    .map((line) => foldLine(line, hangOf(line, width), width))
    .join('\n')
}

function hangOf(line: string, width: number): number {
  const hang = shownColumns(HANG.exec(line.replace(COLOUR, ''))?.[0] ?? '')
  // A narrow terminal has no room for columns.
  return hang <= width / 2 ? hang : 0
}

function foldLine(text: string, indent: number, width: number): string {
  if (shownColumns(text) <= width) return text
  const lines = ['']
  for (const [part] of text.matchAll(UNBROKEN)) {
    const line = lines.at(-1) ?? ''
    if (line.trim() === '' || shownColumns(line + part) <= width) lines[lines.length - 1] = line + part
    else lines.push(' '.repeat(indent) + part.trimStart())
  }
  return lines.join('\n')
}

/** A colour takes no column. */
function shownColumns(text: string): number {
  return columns(text.replace(COLOUR, ''))
}
