// Questions to a person at a terminal. Between them the terminal is in its usual mode, where Ctrl-C is a signal.

import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'
import { CodedError } from '../errors.ts'
import { type Sentence, say, typed } from '../sentence.ts'
import type { Cli } from './io.ts'

/** A conversation with a person. An answer that never comes throws. */
export type Dialogue = {
  say: (text: Sentence) => void
  /** The answer without blanks around it. */
  ask: (question: Sentence) => Promise<string>
  /** The same, and nothing of the answer shows. */
  askSecret: (question: Sentence) => Promise<string>
}

type TerminalInput = Readable & { setRawMode?: (raw: boolean) => unknown }

const INTERRUPT = '\x03'
const END_OF_INPUT = '\x04'

/** What a line typed without the terminal's own editing comes to: backspace, Ctrl-U, and arrow keys that do nothing. */
function edited(line: string): string {
  const kept: string[] = []
  for (const character of line.replace(/\x1b\[[\d;]*[A-Za-z~]/g, '')) {
    if (character === '\x7f' || character === '\b') kept.pop()
    else if (character === '\x15') kept.length = 0
    else if (character >= ' ') kept.push(character)
  }
  return kept.join('')
}

function stopped(): CodedError {
  return new CodedError('config_invalid', say`The questions were not answered to the end.`, {
    nextStep: say`Run the same ${typed('setup')} again; what was kept so far stays.`,
  })
}

/** Opens a conversation on a terminal. It ends with `closing`; `interrupt` hears of a Ctrl-C that came as a character. */
export function createDialogue({
  stdin: input,
  stderr: tell,
  closing,
  interrupt,
}: Pick<Cli, 'stderr' | 'closing' | 'interrupt'> & { stdin: TerminalInput }): Dialogue {
  const decoder = new StringDecoder('utf8')
  let typed = ''
  let over = false
  let look: () => void = () => undefined
  input.on('data', (chunk: Buffer) => {
    typed += decoder.write(chunk)
    look()
  })
  const stop = () => {
    over = true
    look()
  }
  input.on('end', stop).on('error', stop).pause()
  closing.addEventListener('abort', () => look())

  /** The next line; null: there is none yet. What is typed ahead waits for the next question. */
  function takeLine(raw: boolean): string | null {
    const end = /\r?\n|\r/.exec(typed)
    const upTo = typed.slice(0, end?.index)
    if (raw && upTo.includes(INTERRUPT)) interrupt()
    if (raw && upTo === END_OF_INPUT) over = true
    if (!end || over) return null
    typed = typed.slice(end.index + end[0].length)
    return raw ? edited(upTo) : upTo
  }

  async function nextLine(question: Sentence, raw: boolean): Promise<string> {
    if (raw) input.setRawMode?.(true)
    tell(question)
    input.resume()
    try {
      return await new Promise<string>((resolve, reject) => {
        look = () => {
          const line = closing.aborted ? null : takeLine(raw)
          if (line === null && !over && !closing.aborted) return
          // Several pieces may come in one turn: what is behind this line belongs to the next question.
          look = () => undefined
          if (line === null) reject(closing.aborted ? closing.reason : stopped())
          else resolve(line.trim())
        }
        look()
      })
    } finally {
      input.pause()
      if (raw) input.setRawMode?.(false)
    }
  }

  return {
    say: tell,
    ask: (question) => nextLine(question, false),
    async askSecret(question) {
      try {
        return await nextLine(question, true)
      } finally {
        tell(say`\n`)
      }
    },
  }
}

/** Asks until the answer is one of the choices; an empty one is the first. */
export async function choose<T extends string>(
  dialogue: Dialogue,
  question: Sentence,
  choices: readonly [T, ...T[]],
): Promise<T> {
  for (;;) {
    const answer = (await dialogue.ask(say`${question} [${choices[0]}] `)).toLowerCase()
    if (answer === '') return choices[0]
    const choice = choices.find((candidate) => candidate === answer)
    if (choice) return choice
    dialogue.say(say`Please answer ${choices.join(' / ')}.\n`)
  }
}

const YES = /^(?:y|yes|是|好)$/i
const NO = /^(?:n|no|否|不)$/i

/** Asks for a yes; anything else, and nothing, is a no. */
export async function confirm(dialogue: Dialogue, question: Sentence): Promise<boolean> {
  return YES.test(await dialogue.ask(say`${question} [${'y/N'}] `))
}

/** Asks until there is a yes or a no; nothing is a yes. */
export async function confirmUsual(dialogue: Dialogue, question: Sentence): Promise<boolean> {
  for (;;) {
    const answer = await dialogue.ask(say`${question} [${'Y/n'}] `)
    if (answer === '' || YES.test(answer)) return true
    if (NO.test(answer)) return false
    dialogue.say(say`Please answer ${'y / n'}.\n`)
  }
}
