import { CodedError, type Recovery } from '../errors.ts'
import { type Sentence, say, shown } from '../sentence.ts'
import type { Cli } from './io.ts'

/** A failed command exits by its recovery; a denial and an expired link have a number of their own. */
const EXIT_CODES: Readonly<Record<Recovery, number>> = { retry: 1, wait: 1, fix_config: 2, reauthorize: 3 }

const EXIT_UNANSWERED = 4

/** The exit code of a failed command. */
export function exitCode(error: CodedError): number {
  if (error.code === 'access_denied' || error.code === 'authorization_expired') return EXIT_UNANSWERED
  return EXIT_CODES[error.recovery]
}

/** Whether the command line is that of `connect`, which serves MCP as the program does without a command. */
export function isConnect(args: readonly string[]): boolean {
  const at = args.findIndex((arg, index) => !arg.startsWith('-') && args[index - 1] !== '--profile')
  return args[at] === 'connect'
}

/** The error of a command line that cannot be used. */
export function usageError(command: string, message: Sentence): CodedError {
  return new CodedError('config_invalid', say`${message}.`, { nextStep: say`See \`${command} --help\`.` })
}

/** Refuses operands where a command takes none. */
export function expectOperands(cli: Cli, operands: string[], names: string[]): void {
  if (operands.length === names.length) return
  throw usageError(
    cli.command,
    names.length === 0 ? say`This command takes no operand` : say`This command takes ${names.join(' ')}`,
  )
}

/** What Node's `parseArgs` says, in our words where they are its own. */
export function parsingProblem(message: string): Sentence {
  const [said = ''] = message.split('. ')
  const option = /'([^']*)'/.exec(said)?.[1] ?? ''
  const ours = problemsOf(option).findIndex((sentence) => String(sentence) === said)
  return problemsOf(shown(option).slice(1, -1))[ours] ?? say`${shown(said)}`
}

function problemsOf(option: string): Sentence[] {
  return [
    say`Unknown option '${option}'`,
    say`Option '${option}' argument missing`,
    say`Option '${option}' does not take an argument`,
    say`Option '${option}' argument is ambiguous`,
  ]
}
