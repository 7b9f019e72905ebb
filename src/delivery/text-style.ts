// What a config's text and its parser's data have of their own.

/** Members by their names: an object of JSON, a table of TOML. */
export type Data = Record<string, unknown>

export const BYTE_ORDER_MARK = '\ufeff'

export function isTable(value: unknown): value is Data {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A file as text, its byte order mark included; null: it is not UTF-8. */
export function decodeText(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

/** How a text ends its lines. */
export function endOfLine(text: string): string {
  return text.includes('\r\n') ? '\r\n' : '\n'
}

/** Parsers make objects without a prototype, dates and big numbers; only what they hold counts. */
export function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, inner) => (typeof inner === 'bigint' ? `${inner}n` : inner)))
}
