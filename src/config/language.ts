// Which of its two languages the program speaks to people.

import type { Environment } from './settings-reader.ts'

export type Language = 'en' | 'zh'

/** The locale's variables, the strongest first (POSIX, "Environment Variables"). */
const LOCALE = ['LC_ALL', 'LC_MESSAGES', 'LANG']

/** The language of the command line: `FEISHU_LANG`, else the locale's. What cannot be used is told with the settings. */
export function languageOf(environment: Environment): Language {
  const setting = environment.FEISHU_LANG?.trim().toLowerCase()
  if (setting === 'en' || setting === 'zh') return setting
  const locale = LOCALE.map((name) => environment[name]).find((value) => value)
  return /^zh(?:[^a-z]|$)/i.test(locale ?? '') ? 'zh' : 'en'
}
