// Says a sentence in the person's language.

import { type Door, inEnglish, type Language, type Sentence } from '../sentence.ts'

/** Says things to people. */
export type Voice = {
  say: (sentence: Sentence) => void
  /** Resolves when all that was said is out. */
  said: () => Promise<void>
}

/**
 * A way to people in their language, which is asked for with the first sentence; the Chinese is loaded then, too.
 *
 * @param width the columns of the terminal; null: it is none
 */
export function createVoice(
  languageOf: () => Language,
  door: Door,
  write: (text: string) => void,
  width: () => number | null,
): Voice {
  let language: Language | null = null
  let last = Promise.resolve()
  return {
    say: (sentence) => {
      language ??= languageOf()
      const columns = width()
      if (language === 'en' && columns === null) return write(inEnglish(sentence, door))
      const spoken = language
      last = last.then(async () => {
        const said = await inLanguage(spoken, sentence, door)
        if (columns === null || sentence.form.laidOut) return write(said)
        const { fold } = await import('./fold.ts')
        write(fold(said, columns))
      })
    },
    said: () => last,
  }
}

/** A sentence as it is said to people who read that language. */
export async function inLanguage(language: Language, sentence: Sentence, door: Door): Promise<string> {
  if (language === 'en') return inEnglish(sentence, door)
  const { inChinese } = await import('./sentences.ts')
  return inChinese(sentence, door)
}
