// From the arguments to the command, and from its failure to the exit code.

import { errorAnswer, errorText } from '../answers.ts'
import type { Deps } from '../deps.ts'
import { CodedError, toCodedError, traceOf } from '../errors.ts'
import { type Sentence, say, shown, styled } from '../sentence.ts'
import { type Argv, OPTIONS, type OptionName } from './argv.ts'
import { COMMANDS } from './commands.ts'
import type { Cli, Terminal } from './io.ts'
import { speaking } from './speech.ts'
import { exitCode, expectOptions, nearest, usageError } from './usage.ts'

/** Runs one command of the command line; resolves to the exit code. */
export async function runCli(argv: Argv, terminal: Terminal): Promise<number> {
  const cli = speaking(terminal, argv.options.profile)
  try {
    return await Promise.race([dispatch(argv, cli), cli.over])
  } catch (error) {
    const known = toCodedError(error)
    const door = { command: cli.command, profile: argv.options.profile }
    if (argv.options.json) cli.stdout(`${JSON.stringify(errorAnswer(known, door), null, 2)}\n`)
    // Whoever stopped it knows why: one line is enough.
    const text = terminal.width.stderr !== null ? personText(known) : errorText(known)
    cli.stderr(say`${cli.closing.aborted ? known.said : text}\n`)
    const wantsTrace = cli.environment.FEISHU_LOG_LEVEL?.trim().toLowerCase() === 'debug'
    if (known !== error && wantsTrace) cli.stderr(say`${traceOf(error)}\n`)
    return exitCode(known)
  } finally {
    await cli.said()
  }
}

/** An error as people read it; a script finds its code in the other form, and in `--json`. */
function personText({ said, step, feishuCode, logId }: CodedError): Sentence {
  const facts = [feishuCode === null ? '' : `Feishu ${feishuCode}`, logId === null ? '' : `log_id ${logId}`]
  const evidence = facts.filter(Boolean).join(', ')
  const text = say`${styled(say`Error:`, 'red')} ${said} ${step}`
  return evidence === '' ? text : say`${text} ${styled(say`(${evidence})`, 'dim')}`
}

async function dispatch(argv: Argv, cli: Cli): Promise<number> {
  const { options, operands } = argv
  const asksHelp = options.help || argv.name === 'help'
  const name = argv.name === 'help' ? operands[0] : argv.name
  if (options.version && !asksHelp) {
    cli.stdout(`${cli.version}\n`)
    return 0
  }
  const entry = name !== undefined && Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (asksHelp && (entry || name === undefined)) {
    const { help, helpOn } = await import('./help.ts')
    cli.show(entry ? helpOn(cli.command, entry) : help(cli.command))
    return 0
  }
  if (name === undefined) {
    expectOptions(cli, argv, Object.keys(OPTIONS) as OptionName[])
    throw usageError(cli, say`An option needs a command before it`)
  }
  if (!entry) throw usageError(cli, unknownCommand(name))
  cli.called = name
  expectOptions(cli, argv, Object.keys(entry.options) as OptionName[])
  if (name === 'connect') await (await import('./connect-wish.ts')).readConnect(argv, cli)
  let deps: Deps
  try {
    deps = await cli.openDeps()
  } catch (error) {
    if (!entry.loadWithoutSettings || !(error instanceof CodedError)) throw error
    return (await entry.loadWithoutSettings())(cli, options, error)
  }
  const command = await entry.load()
  const words = [...operands, ...(argv.behind ?? [])]
  try {
    return await command({
      cli,
      deps,
      profile: options.profile ?? deps.config.profile,
      options,
      operands: words,
    })
  } finally {
    await cli.settle(deps)
  }
}

function unknownCommand(name: string): Sentence {
  const near = nearest(name, Object.keys(COMMANDS))
  const named = shown(name)
  return near ? say`There is no command ${named} (did you mean ${near}?)` : say`There is no command ${named}`
}
