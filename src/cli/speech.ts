import { createVoice } from '../chinese/voice.ts'
import { languageOf } from '../config/language.ts'
import type { Cli, Terminal } from './io.ts'

/** A command's process, with what it says to people in their language; `said` resolves when all of it is out. */
export function speaking(
  terminal: Terminal,
  profile: string | undefined,
): { cli: Cli; said: () => Promise<void> } {
  const language = () => languageOf(terminal.environment)
  const door = { command: terminal.command, profile }
  const out = createVoice(language, door, terminal.stdout)
  const error = createVoice(language, door, terminal.stderr)
  // Not a copy: that would open stdin.
  const cli: Cli = Object.assign(Object.create(terminal), { show: out.say, stderr: error.say })
  return {
    cli,
    said: async () => {
      await out.said()
      await error.said()
    },
  }
}
