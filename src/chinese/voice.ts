import { type Door, inEnglish, type Sentence } from '../sentence.ts'
import { forTerminal } from './for-terminal.ts'

/** Says things to people. */
export type Voice = {
  say: (text: Sentence | string) => void
  /** Resolves when all that was said is out. */
  said: () => Promise<void>
}

/** Until every sentence is a value. */
function named(text: string, door: Door): string {
  return door ? forTerminal(text, door.command, door.profile) : text
}

/** A way to people in their language. The Chinese is loaded with the first sentence. */
export function createVoice(language: 'en' | 'zh', door: Door, write: (text: string) => void): Voice {
  let last = Promise.resolve()
  return {
    say: (text) => {
      if (language === 'en')
        return write(named(typeof text === 'string' ? text : inEnglish(text, door), door))
      last = last.then(async () => {
        const { sentenceInChinese, textInChinese } = await import('./sentences.ts')
        write(typeof text === 'string' ? textInChinese(text, door) : sentenceInChinese(text, door))
      })
    },
    said: () => last,
  }
}
