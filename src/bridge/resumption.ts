// Calls whose answer comes over a stream that may end before it (MCP, "Resumability and Redelivery"): which of them go on
// where the stream is taken up again after its last event, and which end because it cannot be.

/** So often a stream is asked for again where that fails; the same is told to the transport. */
export const TRIES = 2

/** The streams of one connection's calls; `fail` ends a call whose answer will not come any more. */
export class Resumption {
  readonly #fail: (id: number) => void
  /** Calls whose answer comes as events, with the last one that their stream can be taken up after; null: none. */
  readonly #streams = new Map<number, string | null>()
  /** The same of those whose stream has ended and is being taken up again. */
  readonly #resuming = new Map<number, string>()
  /** Attempts that have failed, by the event after which a stream was to be taken up. */
  readonly #spent = new Map<string, number>()
  #givenUp = false

  constructor(fail: (id: number) => void) {
    this.#fail = fail
  }

  /** Nothing is taken up any more. */
  get isGivenUp(): boolean {
    return this.#givenUp
  }

  begin(id: number): void {
    this.#streams.set(id, null)
  }

  isOpen(id: number): boolean {
    return this.#streams.has(id)
  }

  /** An event came that a call's stream can be taken up after. */
  note(id: number, event: string): void {
    if (this.#streams.has(id)) this.#streams.set(id, event)
    else if (this.#resuming.has(id)) this.#resuming.set(id, event)
  }

  /** A call's stream has ended, be it with its answer. */
  end(id: number): void {
    const event = this.#streams.get(id) ?? null
    this.#streams.delete(id)
    if (event === null || this.#givenUp) {
      this.#fail(id)
      return
    }
    // What failed after an event of this name before was about a call that has gone on.
    if (![...this.#resuming.values()].includes(event)) this.#spent.delete(event)
    this.#resuming.set(id, event)
  }

  /**
   * So many attempts to take up a stream after an event have failed. Several streams may have stood at events of the same
   * name, and then any of them may bring the answer: their calls end when none of them is asked for any more.
   */
  failAfter(event: string, tries: number): void {
    const calls = [...this.#resuming].flatMap(([id, last]) => (last === event ? [id] : []))
    const failed = (this.#spent.get(event) ?? 0) + tries
    if (failed < TRIES * calls.length) return void this.#spent.set(event, failed)
    this.#spent.delete(event)
    for (const id of calls) this.#drop(id)
  }

  /** A stream that is taken up again would bring what ended it. */
  giveUp(): void {
    this.#givenUp = true
    for (const id of [...this.#resuming.keys()]) this.#drop(id)
  }

  /** Ends a call whose stream was to be taken up again. */
  #drop(id: number): void {
    if (this.#resuming.delete(id)) this.#fail(id)
  }
}
