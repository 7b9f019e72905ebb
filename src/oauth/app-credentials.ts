// What people give for an App ID and an App Secret, and whether it can be one at all: what visibly is none is not sent.

import { type Sentence, say } from '../sentence.ts'

/** The console's addresses hold it, the authorization's too. */
const APP_ID_WITHIN = /(?<![A-Za-z0-9])cli_[A-Za-z0-9]{1,60}(?![A-Za-z0-9_-])/g

/** The App ID that a person gives as it is, or within an address of the developer console; null: there is none. */
export function findAppId(text: string): string | null {
  const [appId = null, another] = new Set(text.match(APP_ID_WITHIN))
  if (another !== undefined) return null
  return appId === text || /^[\w.:-]+\/\S*$/.test(text) ? appId : null
}

/** What a value has that no App Secret has, the surest first. */
const FORMS: readonly [RegExp, Sentence][] = [
  [/[\0\ufffd]/, say`it is UTF-16, as Windows PowerShell writes files (save it as UTF-8)`],
  [/\$\{|\$[A-Za-z_]|%[A-Za-z_][\w()]*%/, say`it holds a reference that nothing has replaced`],
  [
    /^(?:export\s+|set\s+)?["']?[A-Za-z_][\w.-]*["']?\s*[=:]\s*[^=\s]/,
    say`it is a name with its value (give the value alone)`,
  ],
  [/^["'`“”‘’「『]|["'`“”‘’」』]$/, say`it is in quotes (leave them out)`],
  [/^cli_/, say`it is an App ID`],
  [
    /^<.*>$|^\[.*\]$|^\{.*\}$|^[*.…•·●]+$|^x{4,24}$|^(?:your|my)[ _-]|^(?:feishu|lark)?[ _-]?app[ _-]?secret$|^(?:secret|placeholder|change[ _-]?me|todo)$|你的|请填|填写/i,
    say`it is a placeholder`,
  ],
  [/[^\x20-\x7e]/, say`it holds letters that no App Secret has`],
]

/** As Feishu issues them; every start asks, and the forms above cost it a compiler. */
const USUAL = /^[A-Za-z0-9]{32}$/

/** Why a value can be no App Secret, as the end of a sentence; null: it can be one. */
export function secretProblem(value: string): Sentence | null {
  if (USUAL.test(value)) return null
  return FORMS.find(([form]) => form.test(value))?.[1] ?? null
}
