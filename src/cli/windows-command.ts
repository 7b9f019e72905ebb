// Windows starts programs, not scripts: `npx` is npx.cmd there, and cmd.exe must run it.

import { win32 } from 'node:path'
import type { Environment } from '../machine/system.ts'
import { say } from '../sentence.ts'
import { usageError } from './usage.ts'

/** How a command is started. */
export type Start = { file: string; args: string[]; verbatim: boolean }

/** What PATHEXT says where it is not set. */
const EXTENSIONS = '.COM;.EXE;.BAT;.CMD'
/** What cmd.exe reads as its own even between quotes. */
const UNSAFE = /["%\r\n]/

/** The start of a command on Windows; `exists` tells whether there is such a file. */
export function windowsStart(
  [command, ...args]: [string, ...string[]],
  {
    environment,
    exists,
    program,
  }: { environment: Environment; exists: (path: string) => boolean; program: string },
): Start {
  const script = findCommand(command, environment, exists)
  if (!script || !/\.(?:bat|cmd)$/i.test(script)) return { file: command, args, verbatim: false }
  const unsafe = [script, ...args].find((word) => UNSAFE.test(word))
  if (unsafe !== undefined)
    throw usageError(
      { command: program, called: 'exec' },
      say`${win32.basename(script)} is a script, and cmd.exe would change an argument that holds ", % or a line end`,
    )
  const line = [script, ...args].map((word) => `"${word.replace(/\\+$/, '$&$&')}"`).join(' ')
  const shell = variable(environment, 'ComSpec') ?? 'cmd.exe'
  // /s: only the outer quotes are taken off; /v:off: "!" is itself.
  return { file: shell, args: ['/d', '/v:off', '/s', '/c', `"${line}"`], verbatim: true }
}

/** The file that a name stands for, as cmd.exe would find it; null: none. */
function findCommand(
  command: string,
  environment: Environment,
  exists: (path: string) => boolean,
): string | null {
  const extensions = (variable(environment, 'PATHEXT') ?? EXTENSIONS).split(';').filter(Boolean)
  const endings = extensions.some((ending) => command.toLowerCase().endsWith(ending.toLowerCase()))
    ? ['']
    : extensions
  const folders = /[\\/]/.test(command)
    ? ['']
    : (variable(environment, 'Path') ?? '').split(';').filter(Boolean)
  const paths = folders.flatMap((folder) =>
    endings.map((ending) =>
      folder ? win32.join(folder, command + ending) : win32.normalize(command + ending),
    ),
  )
  return paths.find(exists) ?? null
}

/** Names of variables are the same in any case on Windows. */
function variable(environment: Environment, name: string): string | undefined {
  const key = Object.keys(environment).find((key) => key.toLowerCase() === name.toLowerCase())
  return key === undefined ? undefined : environment[key]
}
