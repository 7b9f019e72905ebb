// A value that no log and no inspection shows.

import { inspect } from 'node:util'

/**
 * A value that must not be seen. Its string, JSON and inspect forms are `[secret]`, so that a log line,
 * an error or a tool answer that holds one by mistake still shows nothing. Only {@link Secret.reveal} gives it away.
 */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
    Object.defineProperty(this, inspect.custom, { value: () => '[secret]' })
  }

  reveal(): string {
    return this.#value
  }

  toString(): string {
    return '[secret]'
  }

  toJSON(): string {
    return '[secret]'
  }
}
