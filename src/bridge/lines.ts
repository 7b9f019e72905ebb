// Takes a stream of text apart into lines, in a time and a memory that the longest line bounds.

import { StringDecoder } from 'node:string_decoder'

/** A document or a picture in base64 is shorter by far; what is longer is thrown away as it comes. */
export const MAX_CHARACTERS = 134_217_728

/** Makes what takes the chunks of a stream; `take` gets each line once it is whole. */
export function createLines(
  take: (line: string) => void,
  maxCharacters: number = MAX_CHARACTERS,
): (chunk: Buffer) => void {
  const decoder = new StringDecoder('utf8')
  let pieces: string[] = []
  let length = 0

  function add(piece: string): void {
    length += piece.length
    if (length <= maxCharacters) pieces.push(piece)
    else pieces = []
  }

  function endLine(): void {
    const line = length > maxCharacters ? null : pieces.join('')
    pieces = []
    length = 0
    if (line !== null) take(line)
  }

  return (chunk) => {
    const [first = '', ...others] = decoder.write(chunk).split('\n')
    add(first)
    for (const piece of others) {
      endLine()
      add(piece)
    }
  }
}
