// The native part: the kernel's lock of an open file, and the exchange of two names in one step. Its file is loaded as
// it lies in the package fs-native-extensions: that one's own loader takes ten times as long, and refuses Alpine, where
// glibc's file runs. The build copies the files, so an install brings no package of others for it.

import { existsSync } from 'node:fs'
import { resolve, toNamespacedPath } from 'node:path'
import { CodedError } from '../errors.ts'
import { say } from '../sentence.ts'

export type Native = {
  /** Throws EAGAIN where someone else has a lock on the range; a length of 0 is the whole file. */
  tryLock(fd: number, offset: number, length: number, exclusive: boolean): void
  /** Exchanges two files atomically. */
  swapSync(from: string, to: string): void
}

declare const NATIVE_FOLDER: string | undefined

const PACKAGE = 'fs-native-extensions'
/** Where the bundle finds the files; run from source, they are taken from the package. */
const FOLDER = typeof NATIVE_FOLDER === 'string' ? NATIVE_FOLDER : `../../node_modules/${PACKAGE}/prebuilds`
/** The system's own words are shown up to here. */
const MAX_TEXT_CHARACTERS = 200

let loaded: Native | null = null

/** Throws `config_invalid` where this Node does not load it. */
export function loadNative(): Native {
  if (loaded) return loaded
  const platform = `${process.platform}-${process.arch}`
  const file = resolve(import.meta.dirname, FOLDER, platform, `${PACKAGE}.node`)
  const module = { exports: {} as Native }
  try {
    // As Node's own loader does it: Windows ends at 260 characters else.
    process.dlopen(module, toNamespacedPath(file))
  } catch (cause) {
    throw notLoaded(cause as Error, platform, existsSync(file))
  }
  loaded = module.exports
  return loaded
}

function notLoaded(cause: Error, platform: string, isThere: boolean): CodedError {
  if (!isThere) {
    return new CodedError('config_invalid', say`The native file lock for ${platform} is not installed.`, {
      nextStep: say`Reinstall feishu-token-mcp on this machine (${platform}); nothing is refreshed without the lock.`,
      cause,
    })
  }
  const said = cause.message.replace(/\s+/g, ' ').slice(0, MAX_TEXT_CHARACTERS)
  return new CodedError(
    'config_invalid',
    say`This Node (${process.execPath}) does not load the native file lock: ${said}.`,
    {
      nextStep: say`Start feishu-token-mcp with another Node: write the path of one from https://nodejs.org as \`command\` in the client; nothing is refreshed without the lock.`,
      cause,
    },
  )
}
