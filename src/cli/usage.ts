import { CodedError, type Recovery } from '../errors.ts'
import type { Cli } from './io.ts'

/** A failed command exits by its recovery; a denial and an expired link have a number of their own. */
const EXIT_CODES: Readonly<Record<Recovery, number>> = { retry: 1, wait: 1, fix_config: 2, reauthorize: 3 }

const EXIT_UNANSWERED = 4

/** The exit code of a failed command. */
export function exitCode(error: CodedError): number {
  if (error.code === 'access_denied' || error.code === 'authorization_expired') return EXIT_UNANSWERED
  return EXIT_CODES[error.recovery]
}

/** The error of a command line that cannot be used. */
export function usageError(command: string, message: string): CodedError {
  return new CodedError('config_invalid', `${message}.`, { nextStep: `See \`${command} --help\`.` })
}

/** Refuses operands where a command takes none. */
export function expectOperands(cli: Cli, operands: string[], names: string[]): void {
  if (operands.length === names.length) return
  const wanted = names.length === 0 ? 'takes no operand' : `takes ${names.join(' ')}`
  throw usageError(cli.command, `This command ${wanted}`)
}
