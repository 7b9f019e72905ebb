// From a target to the place of the token in its file, whatever the format.

import { editDotenv } from './dotenv.ts'
import { applyEdit, type Edit, isRefusal, type Refusal, refuseBroken } from './edit.ts'
import { editMcpJson } from './mcp-json.ts'
import { editMcpToml } from './mcp-toml.ts'
import { type Problem, readSharedFile, type SharedFile } from './shared-file.ts'
import type { Target } from './targets.ts'
import { editTokenJson, type TokenContent } from './token-json.ts'

/** A file with the place of the token in it; `mark` is its byte order mark, which `text` is without. */
export type Found = { path: string; file: SharedFile; mark: string; text: string; edit: Edit }

const BYTE_ORDER_MARK = '\ufeff'

function decode(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return null
  }
}

async function editText(target: Target, text: string, content: TokenContent): Promise<Edit | Refusal> {
  const { format, entry, topKeys } = target
  // An empty file is what an editor leaves for a moment between truncating and writing.
  if (text.trim() === '') return refuseBroken('it is empty')
  try {
    if (format === 'dotenv') return editDotenv(text, entry, content.accessToken)
    if (format === 'token-json') return await editTokenJson(text, content)
    if (format === 'json') return await editMcpJson(text, topKeys, entry, content.accessToken)
    return await editMcpToml(text, topKeys[0] ?? '', entry, content.accessToken)
  } catch (error) {
    // The parsers call themselves for each level of nesting.
    if (error instanceof RangeError) return refuseBroken('it is nested too deeply')
    throw error
  }
}

/** Reads a target's file and finds the token's place in it. Throws the system's error. */
export async function findPlace(
  target: Target,
  path: string,
  content: TokenContent,
): Promise<Found | Problem | (Refusal & { bytes: Buffer })> {
  const file = readSharedFile(path)
  if ('status' in file) return file
  const decoded = decode(file.bytes)
  if (decoded === null) return { ...refuseBroken('it is not UTF-8'), bytes: file.bytes }
  const mark = decoded.startsWith(BYTE_ORDER_MARK) ? BYTE_ORDER_MARK : ''
  const text = decoded.slice(mark.length)
  const edit = await editText(target, text, content)
  return isRefusal(edit) ? { ...edit, bytes: file.bytes } : { path, file, mark, text, edit }
}

/** The new text, read back; null unless it holds the token at the same place. */
export async function applyAndConfirm(
  target: Target,
  found: Found,
  content: TokenContent,
): Promise<string | null> {
  const text = applyEdit(found.text, found.edit.spans)
  const again = await editText(target, text, content)
  if (isRefusal(again) || again.place !== found.edit.place) return null
  return again.value === content.accessToken ? text : null
}
