// The language that the commands speak.

import { styleText } from 'node:util'
import { createVoice } from '../chinese/voice.ts'
import { languageOf } from '../config/language.ts'
import type { Door, Style } from '../sentence.ts'
import type { Cli, Terminal } from './io.ts'

/** Whether a stream shows colours (https://no-color.org). */
function takesColour({ environment, isTerminal }: Terminal, stream: 'stdout' | 'stderr'): boolean {
  return !environment.NO_COLOR && environment.TERM !== 'dumb' && isTerminal[stream]
}

const paint = (style: Style, text: string): string => styleText(style, text, { validateStream: false })

/** A command's process, with what it says to people in their language; `said` resolves when all of it is out. */
export function speaking(
  terminal: Terminal,
  profile: string | undefined,
): { cli: Cli; said: () => Promise<void> } {
  const language = () => languageOf(terminal.environment)
  const door = (stream: 'stdout' | 'stderr'): Door => ({
    command: terminal.command,
    profile,
    // Asked only where there is something to paint: it opens the stream.
    get paint() {
      return takesColour(terminal, stream) ? paint : undefined
    },
  })
  const out = createVoice(language, door('stdout'), terminal.stdout)
  const error = createVoice(language, door('stderr'), terminal.stderr)
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
