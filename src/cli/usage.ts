// Errors of usage, and the exit codes.

import { CodedError, type Recovery } from '../errors.ts'
import { PROFILE_NAME } from '../profile.ts'
import { type Sentence, say, shown } from '../sentence.ts'
import { type Argv, type Misuse, type OptionName, SHARED } from './argv.ts'

/** A failed command exits by its recovery; a denial and an expired link have a number of their own. */
const EXIT_CODES: Readonly<Record<Recovery, number>> = { retry: 1, wait: 1, fix_config: 2, reauthorize: 3 }

const EXIT_UNANSWERED = 4

/** The exit code of a failed command. */
export function exitCode(error: CodedError): number {
  if (error.code === 'access_denied' || error.code === 'authorization_expired') return EXIT_UNANSWERED
  return EXIT_CODES[error.recovery]
}

/** How the program was started, and the command that was called, if any. */
export type Caller = { command: string; called?: string | undefined }

/** The error of a command line that cannot be used. */
export function usageError({ command, called }: Caller, message: Sentence): CodedError {
  const help = called === undefined ? command : `${command} ${called}`
  return new CodedError('config_invalid', say`${message}.`, { nextStep: say`See \`${help} --help\`.` })
}

/** Refuses words that a command does not take, and misses those that it needs. */
export function expectOperands(cli: Caller, operands: readonly string[], names: readonly string[]): void {
  const missing = names[operands.length]
  if (missing !== undefined) throw usageError(cli, say`${missing} is missing`)
  const extra = operands[names.length]
  if (extra !== undefined) throw usageError(cli, say`Unexpected word ${shown(extra)}`)
}

/** Refuses options that are misspelt, or that the command does not take, and a profile that can be none. */
export function expectOptions(caller: Caller, { options, misuse }: Argv, taken: readonly OptionName[]): void {
  const known = [...taken, ...SHARED]
  if (misuse) throw usageError(caller, misuseText(misuse, known))
  const stray = (Object.keys(options) as OptionName[]).find((option) => !known.includes(option))
  if (stray) throw usageError(caller, say`The command ${caller.called ?? ''} has no option --${stray}`)
  if (options.profile !== undefined && !PROFILE_NAME.test(options.profile)) {
    throw usageError(
      caller,
      say`A profile name has 1 to 64 of a-z, 0-9, ".", "_" and "-", a letter or digit first`,
    )
  }
}

function misuseText({ kind, option }: Misuse, known: readonly OptionName[]): Sentence {
  if (kind === 'bare') return say`${option} needs a value`
  if (kind === 'filled') return say`${option} takes no value`
  const named = shown(option)
  const near = nearest(option.replace(/^-+/, ''), known)
  return near ? say`There is no option ${named} (did you mean --${near}?)` : say`There is no option ${named}`
}

/** The name that a misspelt one was meant to be; null: none is near. */
export function nearest(word: string, names: readonly string[]): string | null {
  const far = word.length < 4 ? 1 : 2
  const near = names
    .map((name) => ({ name, edits: word.length > 2 && name.startsWith(word) ? 0 : editsBetween(word, name) }))
    .filter(({ edits }) => edits <= far)
    .sort((one, other) => one.edits - other.edits)
  return near[0]?.name ?? null
}

/** How many letters are to be added, removed, changed or swapped with the next one. */
function editsBetween(one: string, other: string): number {
  let before: number[] = []
  let last = Array.from({ length: other.length + 1 }, (_, index) => index)
  for (let i = 1; i <= one.length; i++) {
    const row = [i]
    for (let j = 1; j <= other.length; j++) {
      const same = one[i - 1] === other[j - 1]
      const edits = [(row[j - 1] ?? 0) + 1, (last[j] ?? 0) + 1, (last[j - 1] ?? 0) + (same ? 0 : 1)]
      const isSwap = i > 1 && j > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      if (isSwap) edits.push((before[j - 2] ?? 0) + 1)
      row.push(Math.min(...edits))
    }
    before = last
    last = row
  }
  return last[other.length] ?? 0
}
