// What a config's text and its parser's data have of their own.

/** How a text ends its lines. */
export function endOfLine(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n'
}

/** Parsers make objects without a prototype, dates and big numbers; only what they hold counts. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)))
}
