// The help, of all commands and of one.

import { folded, laidOut } from '../chinese/fold.ts'
import { cell, columns, type Sentence, say, series, styled } from '../sentence.ts'
import { OPTIONS, type OptionName } from './argv.ts'
import { COMMANDS, type CommandEntry } from './commands.ts'

/** The help on everything. */
export function help(command: string): Sentence {
  const rows = Object.values(COMMANDS).map(
    ({ forms, does }) => say`${series(forms.map(formRow), '\n')}\n${folded(say`${'      '}${does}`, 6)}`,
  )
  const lines = [
    say`Usage: ${command} [COMMAND [--profile NAME] [--json]]`,
    '',
    say`Without a command: serve MCP on stdin and stdout.`,
    '',
    styled(say`Commands:`, 'bold'),
    ...rows,
    '',
    ...sharedOptions(),
    '',
    say`More on a command, with an example: ${command} COMMAND --help`,
    folded(
      say`Exit codes: 0 done, 1 try again, 2 usage or settings, 3 a person must authorize, 4 denied or not answered.`,
      EXITS_INDENT,
    ),
    '',
  ]
  return laidOut(series(lines, '\n'))
}

/** The further lines of a form are moved in further than those of what it does. */
const FORM_INDENT = 8
/** Below the first code. */
const EXITS_INDENT = 12

function formRow(form: string): Sentence {
  return styled(folded(say`  ${form}`, FORM_INDENT), 'bold')
}

const NEEDS_LOGIN = say`0 done, 1 try again, 2 usage or settings, 3 log in`

/** The help on one command. */
export function helpOn(command: string, { forms, does, options, example, exits }: CommandEntry): Sentence {
  const rows = Object.entries(options).map(([name, text]): [string, Sentence] => {
    return [written(name as OptionName), text]
  })
  const own = rows.length === 0 ? [] : [styled(say`Options:`, 'bold'), ...optionRows(rows), '']
  const lines = [
    styled(say`Usage:`, 'bold'),
    ...forms.map((form) => folded(say`  ${command} ${form}`, FORM_INDENT)),
    '',
    folded(say`${does}.`, 0),
    '',
    ...own,
    ...sharedOptions(),
    '',
    styled(say`Example:`, 'bold'),
    say`  ${command} ${example}`,
    '',
    folded(say`Exit codes: ${exits ?? NEEDS_LOGIN}.`, EXITS_INDENT),
    '',
  ]
  return laidOut(series(lines, '\n'))
}

/** An option with what its value is called. */
function written(name: OptionName): string {
  const takes = OPTIONS[name]
  if (takes === '') return `--${name}`
  return `--${name} ${typeof takes === 'string' ? takes : takes[0]}`
}

function sharedOptions(): Sentence[] {
  return [
    styled(say`Options of every command:`, 'bold'),
    ...optionRows([
      [written('profile'), say`which of several accounts (FEISHU_PROFILE)`],
      [written('json'), say`one JSON document on stdout`],
      ['--help, -h', say`this text, or that on a command`],
      [written('version'), say`the version of this program`],
    ]),
  ]
}

function optionRows(rows: readonly [string, Sentence][]): Sentence[] {
  const width = Math.max(...rows.map(([name]) => columns(name)))
  return rows.map(([name, text]) => folded(say`  ${cell(name, width)}  ${text}`, width + 4))
}
