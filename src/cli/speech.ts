import { languageOf } from '../config/language.ts'
import type { Cli, Terminal } from './io.ts'

/**
 * A command's process, with what it says to people in their language. The Chinese is loaded with the first sentence:
 * `said` resolves when all of them are out.
 */
export function speaking(terminal: Terminal): { cli: Cli; said: () => Promise<void> } {
  let last = Promise.resolve()
  const inChinese = (write: (text: string) => void) => (text: string) => {
    last = last.then(async () => {
      const { inChinese } = await import('../chinese/translation.ts')
      write(inChinese(text))
    })
  }
  const { stdout, stderr, environment } = terminal
  const voices =
    languageOf(environment) === 'zh'
      ? { show: inChinese(stdout), stderr: inChinese(stderr) }
      : { show: stdout, stderr }
  // Not a copy: that would open stdin.
  const cli: Cli = Object.assign(Object.create(terminal), voices)
  return { cli, said: () => last }
}
