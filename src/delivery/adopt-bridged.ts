// An entry that reaches the hosted server through mcp-remote, for clients that start programs alone: what it gives that
// program as `--header` is what another client gives as headers. Data → data.

import { say } from '../sentence.ts'
import { adoptHosted } from './adopt-hosted.ts'
import { lineOf } from './adopt-program.ts'
import {
  type AdoptionResult,
  type ConnectStart,
  refused,
  variablesFor,
  withEnvironment,
  withExtras,
} from './adoption.ts'
import { isTokenHeader } from './mcp-entry.ts'
import { type Data, isTable } from './text-style.ts'

const MCP_REMOTE = /^(?:.*[\\/])?mcp-remote(?:@[^\\/]*|\.cmd)?$/
/** mcp-remote fills in its environment's variables itself. */
const VARIABLE = /\$\{([^}]+)\}/g

/** What becomes of an entry of mcp-remote; null: it is none, or gives no token of Feishu's. */
export function adoptBridged(entry: Data, start: ConnectStart): AdoptionResult {
  const line = lineOf(entry)
  const at = line?.words.findIndex((word) => typeof word === 'string' && MCP_REMOTE.test(word)) ?? -1
  if (!line || at === -1 || !line.words.every((word) => typeof word === 'string')) return null
  const options = (line.words as string[]).slice(at + 1)
  const env: Data = isTable(entry.env) ? entry.env : {}
  const used = new Set<string>()
  const headers: Record<string, string> = {}
  for (const [index, word] of options.entries()) {
    const [, name = '', value = ''] = /^([^:]+):\s*([\s\S]*)$/.exec(options[index + 1] ?? '') ?? []
    if (word !== '--header' || name === '') continue
    headers[name] = value
    if (!isTokenHeader(name)) continue
    headers[name] = value.replace(VARIABLE, (reference, variable: string) => {
      used.add(variable)
      return typeof env[variable] === 'string' ? env[variable] : reference
    })
  }
  if (!Object.keys(headers).some(isTokenHeader)) return null
  const url = options.find((word) => /^https?:/.test(word))
  if (url === undefined) return refused(say`its address is none that gets the token`)
  // In an argument list the value of a variable would stand in clear.
  const computed = Object.keys(headers).find(
    (name) => /\$\{/.test(headers[name] ?? '') && !isTokenHeader(name),
  )
  if (computed) return refused(say`connect has no form for its ${computed}`)
  const verdict = adoptHosted({ url, headers }, start)
  if (verdict?.kind !== 'adopt') return verdict
  const { command, args } = verdict.adoption.entry as { command: string; args: string[] }
  const others = Object.fromEntries(Object.entries(env).filter(([name]) => !used.has(name)))
  const changed = withExtras(line.withWords([command, ...args]), start.entry)
  const whole = withEnvironment(changed, 'env', {
    ...variablesFor(verdict.adoption.isLark, start),
    ...others,
  })
  return { kind: 'adopt', adoption: { ...verdict.adoption, entry: whole } }
}
