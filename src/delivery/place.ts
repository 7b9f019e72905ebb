// From a target to the place of the token in its file, whatever the format.

import { say } from '../sentence.ts'
import { editDotenv } from './dotenv.ts'
import { applyEdit, type Edit, type EditRefusal, isEditRefusal, refuseBroken, TIME_UP } from './edit.ts'
import { editMcpJson } from './mcp-json.ts'
import { editMcpToml } from './mcp-toml.ts'
import { type Problem, readSharedFile, type SharedFile } from './shared-file.ts'
import type { Target } from './targets.ts'
import { BYTE_ORDER_MARK, decodeText } from './text-style.ts'
import type { TokenContent } from './token-fields.ts'
import { editTokenJson } from './token-json.ts'

/** A file with the place of the token in it; `mark` is its byte order mark, which `text` is without. */
export type Found = { path: string; file: SharedFile; mark: string; text: string; edit: Edit }

/** What reading a file may cost. Past `giveUpAt` (by `performance.now()`) the reading of it throws. */
export type Bounds = { maxBytes: number; giveUpAt: number }

/** The whole file is the token's. */
function editFile(text: string, token: string): Edit {
  const span = { start: 0, end: text.length, text: `${token}\n`, secret: true }
  return { place: 'the token', value: text.replace(/\r?\n$/, ''), spans: [span], inArgv: false }
}

async function editText(
  target: Target,
  text: string,
  content: TokenContent,
  giveUpAt: number,
): Promise<Edit | EditRefusal> {
  const { format, entry, topKeys } = target
  if (format === 'file') return editFile(text, content.accessToken)
  // An empty file is what an editor leaves for a moment between truncating and writing.
  if (text.trim() === '') return refuseBroken(say`it is empty`)
  try {
    if (format === 'dotenv') return editDotenv(text, entry, content.accessToken)
    if (format === 'token-json') return await editTokenJson(text, content)
    if (format === 'json') {
      return await editMcpJson(text, { topKeys, server: entry, giveUpAt }, content.accessToken)
    }
    return await editMcpToml(text, topKeys[0] ?? '', entry, content.accessToken)
  } catch (error) {
    // The parsers call themselves for each level of nesting.
    if (error instanceof RangeError) return refuseBroken(say`it is nested too deeply`)
    throw error
  }
}

/** Reads a target's file and finds the token's place in it. Throws the system's error. */
export async function findPlace(
  target: Target,
  path: string,
  content: TokenContent,
  bounds: Bounds,
): Promise<Found | Problem | EditRefusal> {
  const file = readSharedFile(path, bounds.maxBytes)
  if ('status' in file) return file
  const decoded = decodeText(file.bytes)
  if (decoded === null) return refuseBroken(say`it is not UTF-8`)
  const mark = target.format !== 'file' && decoded.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : ''
  const text = decoded.slice(mark.length)
  const edit = await editText(target, text, content, bounds.giveUpAt)
  return isEditRefusal(edit) ? edit : { path, file, mark, text, edit }
}

/** The new text, read back if there is time; null unless it holds the token at the same place. */
export async function applyAndConfirm(
  target: Target,
  found: Found,
  content: TokenContent,
  bounds: Bounds,
): Promise<string | null> {
  if (performance.now() > bounds.giveUpAt) throw TIME_UP
  const text = applyEdit(found.text, found.edit.spans)
  const again = await editText(target, text, content, bounds.giveUpAt)
  if (isEditRefusal(again) || again.place !== found.edit.place) return null
  return again.value === content.accessToken ? text : null
}
