// Checks on scope names before a browser opens: Feishu answers a wrong name with an error page that no one else sees.
// Source of the names: the API reference of open.feishu.cn ("docs", "im-v1 message") and the console's permission list.

import { joinClauses } from '../answers.ts'
import { CodedError } from '../errors.ts'
import { clause, type Sentence, say, series, shown, terminalsOnly, toolsOnly, unended } from '../sentence.ts'
import { PRESET_NAMES, presetScopes } from './scope-presets.ts'

/** The largest list Feishu takes in one request (page "obtain OAuth code", 2026-08); Lark's page still says 50. */
const MAX_SCOPES = 200

/** Two or more segments of lower-case names; three names are older than that rule. */
const SCOPE = /^[a-z0-9_.]+(:[a-z0-9_.]+)+$/
const SHORT_NAMES = ['offline_access', 'user_profile']

/** Names that people try and that do not exist, with the right ones. */
const MISTAKEN: Readonly<Record<string, string>> = {
  'docx:document:write': 'docx:document:write_only',
  'docx:document:read': 'docx:document:readonly',
  'docs:document': 'docx:document',
  'docs:doc': 'docx:document',
}

/** Names that only an app can hold, with what a person asks for instead. */
const APP_ONLY: Readonly<Record<string, string>> = {
  'im:message:send_as_bot': 'im:message with im:message.send_as_user',
}

/** Names known to exist for user identity; any other well-formed name is passed on with a warning. */
const KNOWN = new Set([
  ...presetScopes(),
  'auth:user.id:read',
  'contact:user.base:readonly',
  'contact:user.email:readonly',
  'contact:user.employee:readonly',
  'contact:user.employee_id:readonly',
  'contact:user.phone:readonly',
  'bitable:app',
  'bitable:app:readonly',
  'calendar:calendar',
  'calendar:calendar:readonly',
  'docs:document.content:read',
  'docx:document',
  'docx:document:create',
  'docx:document:readonly',
  'docx:document:write_only',
  'drive:drive',
  'drive:drive:readonly',
  'im:chat',
  'im:chat:readonly',
  'im:message',
  'im:message:readonly',
  'im:message.send_as_user',
  'offline_access',
  'sheets:spreadsheet',
  'sheets:spreadsheet:readonly',
  'task:task:read',
  'task:task:readonly',
  'task:task:write',
  'user_profile',
  'wiki:wiki',
  'wiki:wiki:readonly',
])

/** What scopes begin with: `docx`, `im`, …; a number of an error begins otherwise. */
const FAMILIES = new Set([...KNOWN].map((scope) => scope.split(':')[0] ?? ''))

/** The scopes that a text names, such as an error of Feishu's. */
export function namedScopes(text: string): string[] {
  const words = text.match(/\b[a-z_][a-z0-9_.]*(?::[a-z0-9_.]*[a-z0-9_])+/g) ?? []
  return [...new Set(words.filter((word) => FAMILIES.has(word.split(':')[0] ?? '')))]
}

/**
 * Refuses scopes that are sure to end on an error page of Feishu's.
 *
 * @returns the well-formed names that are not known here; they are asked for all the same
 * @throws CodedError `invalid_scope` (malformed, too many, held by apps only) or `scope_unknown` (with the right name)
 */
export function checkScopes(scopes: readonly string[]): string[] {
  if (scopes.length > MAX_SCOPES) {
    throw new CodedError(
      'invalid_scope',
      say`${scopes.length} scopes are too many: Feishu takes ${MAX_SCOPES}.`,
      {
        nextStep: say`Ask for fewer scopes; grants add up, so a second authorization can ask for the rest.`,
      },
    )
  }
  const problems = scopes.flatMap((scope) => problemOf(scope) ?? [])
  const [first] = problems
  if (first) {
    throw new CodedError(
      first.code,
      series(
        problems.map(({ said }) => said),
        ' ',
      ),
      {
        nextStep: oneStep([...new Map(problems.map(({ fix }) => [String(fix), fix])).values()]),
      },
    )
  }
  return scopes.filter((scope) => !KNOWN.has(scope))
}

/** The steps as one sentence. */
function oneStep([first, ...others]: readonly Sentence[]): Sentence {
  return joinClauses([...(first ? [unended(first)] : []), ...others.map(clause)])
}

type ScopeProblem = { code: 'scope_unknown' | 'invalid_scope'; said: Sentence; fix: Sentence }

/** What a table says of a name from outside, which may be one of every object's (`__proto__`). */
function own<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** Where scopes are given for one authorization. */
const GIVEN = say`${toolsOnly(say`the scopes of start_authorization`)}${terminalsOnly(say`${'--scope'}`)}`

/** Why a scope is sure to be refused; null: it may be one. */
function problemOf(scope: string): ScopeProblem | null {
  const name = shown(scope)
  if (scope.startsWith('@')) {
    return {
      code: 'scope_unknown',
      said: say`There is no scope preset ${name}.`,
      fix: say`Use ${PRESET_NAMES.join(', ')}, or scopes as in the developer console.`,
    }
  }
  const right = own(MISTAKEN, scope)
  if (right !== undefined) {
    return {
      code: 'scope_unknown',
      said: say`The scope ${name} does not exist: did you mean ${right}?`,
      fix: say`Use ${right} in FEISHU_SCOPES or in ${GIVEN}.`,
    }
  }
  const instead = own(APP_ONLY, scope)
  if (instead !== undefined) {
    return {
      code: 'invalid_scope',
      said: say`The scope ${name} is held by apps only, never by a person.`,
      fix: say`Use ${instead} instead.`,
    }
  }
  if (SHORT_NAMES.includes(scope) || (SCOPE.test(scope) && scope.length <= 128)) return null
  return {
    code: 'invalid_scope',
    said: say`${name} is not a scope name (they look like docx:document:readonly).`,
    fix: say`Correct the scopes: names as in the developer console, separated by spaces.`,
  }
}
