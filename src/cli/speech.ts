// The language that the commands speak.

import { styleText } from 'node:util'
import { createVoice } from '../chinese/voice.ts'
import { languageOf } from '../config/language.ts'
import type { Door, Style } from '../sentence.ts'
import type { Cli, Terminal } from './io.ts'

/** Whether a stream shows colours (https://no-color.org). */
function takesColour({ environment, width }: Terminal, stream: 'stdout' | 'stderr'): boolean {
  return !environment.NO_COLOR && environment.TERM !== 'dumb' && width[stream] !== null
}

const paint = (style: Style, text: string): string => styleText(style, text, { validateStream: false })

/** A command's process, with what it says to people in their language. */
export function speaking(terminal: Terminal, profile: string | undefined): Cli {
  const language = () => languageOf(terminal.environment)
  // Asked only where there is something to say: it opens the stream.
  const voice = (stream: 'stdout' | 'stderr') => {
    const width = () => terminal.width[stream]
    const door: Door = {
      command: terminal.command,
      profile,
      get paint() {
        return takesColour(terminal, stream) ? paint : undefined
      },
      get width() {
        return width()
      },
    }
    return createVoice(language, door, terminal[stream], width)
  }
  const out = voice('stdout')
  const error = voice('stderr')
  // Not a copy: that would open stdin.
  return Object.assign(Object.create(terminal), {
    show: out.say,
    stderr: error.say,
    async said() {
      await out.said()
      await error.said()
    },
  })
}
