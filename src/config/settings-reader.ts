// One setting after the other, from text to value. Knows no single setting.

import { isLoopbackUrl } from '../machine/address.ts'
import type { Environment } from '../machine/system.ts'
import { type Sentence, say } from '../sentence.ts'

/** `${NAME}`, `$NAME`, `%NAME%`: what a client replaces by a variable, or does not. */
const REFERENCE = /\$\{[^}]*\}|\$[A-Za-z_]\w*|%([A-Za-z_][\w()]*)%/g
/** In an address `%C3%` is half of an encoded letter. */
const ENCODED = /^[0-9A-Fa-f]{2}/

function references(value: string): string[] {
  const isAddress = /:\/\/|@/.test(value)
  const found = [...value.matchAll(REFERENCE)].filter(([, name = '']) => !isAddress || !ENCODED.test(name))
  return found.map(([text]) => text)
}

/** Collects what is wrong with the settings, so that all of it is told at once. */
export class SettingsReader {
  readonly problems: Sentence[] = []
  /** What is allowed but unwise. */
  readonly warnings: Sentence[] = []
  readonly #env: Environment

  constructor(env: Environment) {
    this.#env = env
  }

  /** The setting's text, or null where it is unset, empty, or holds a reference that the client did not replace. */
  text(name: string): string | null {
    const value = this.#env[name]?.trim()
    if (!value) return null
    if (references(value).length > 0) {
      // The value is not shown: it may be a secret that happens to look like a reference.
      this.problems.push(
        say`${name} holds a reference (\${…}, $NAME or %NAME%) that the client did not replace: write the value itself (in an address %24 for $), or remove it`,
      )
      return null
    }
    return value
  }

  /** The text of a variable that other programs use too: what is wrong with it is no one's problem here. */
  foreignText(name: string): string | null {
    const value = this.#env[name]?.trim()
    return value && references(value)[0] !== value ? value : null
  }

  oneOf<T extends string>(name: string, allowed: readonly T[], fallback: T): T {
    const value = this.text(name)?.toLowerCase()
    if (value === undefined) return fallback
    const match = allowed.find((candidate) => candidate === value)
    if (match === undefined) this.problems.push(say`${name} must be one of ${allowed.join(', ')}`)
    return match ?? fallback
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.text(name)?.toLowerCase()
    if (value === undefined) return fallback
    if (['true', '1', 'yes', 'on'].includes(value)) return true
    if (!['false', '0', 'no', 'off'].includes(value)) this.problems.push(say`${name} must be true or false`)
    return false
  }

  url(name: string, fallback: string | null): URL | null {
    const value = this.text(name) ?? fallback
    if (value === null) return null
    const url = URL.canParse(value) ? new URL(value) : null
    if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password || url.hash) {
      this.problems.push(say`${name} must be an http or https address without a user name or fragment`)
      return null
    }
    if (url.protocol === 'http:' && !isLoopbackUrl(url)) {
      this.problems.push(say`${name} must be https: plain http is for localhost alone`)
      return null
    }
    return url
  }

  /** An origin, as text without a slash at its end. */
  origin(name: string): string | null {
    const url = this.url(name, null)
    if (!url) return null
    if (url.search || url.pathname !== '/') {
      this.problems.push(say`${name} must be an origin, such as https://open.feishu.cn, without a path`)
      return null
    }
    return url.origin
  }
}
