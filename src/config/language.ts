// Which of its two languages the program speaks to people.

import type { Environment } from '../machine/system.ts'
import type { Language } from '../sentence.ts'

/** The locale's variables, the strongest first (POSIX, "Environment Variables"). */
const LOCALE = ['LC_ALL', 'LC_MESSAGES', 'LANG']

/** Windows has none of them, nor what a desktop starts on macOS. Of all that asks for the locale the fastest. */
function systemLocale(): string {
  return new Intl.PluralRules().resolvedOptions().locale
}

/** The language of the command line: `FEISHU_LANG`, else the locale's. What cannot be used is told with the settings. */
export function languageOf(environment: Environment, fallback: () => string = systemLocale): Language {
  const setting = environment.FEISHU_LANG?.trim().toLowerCase()
  if (setting === 'en' || setting === 'zh') return setting
  const locale = LOCALE.map((name) => environment[name]).find((value) => value) ?? fallback()
  return /^zh(?:[^a-z]|$)/i.test(locale) ? 'zh' : 'en'
}
