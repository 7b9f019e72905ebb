import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { NO_MODES } from './needs.ts'

/** An empty folder that is gone when the test ends. */
export function makeFolder(): string {
  const path = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

/** Copies a folder with all that is in it, and its modes: cpSync gives folders new ones on Node 22. */
export function copyFolder(from: string, to: string): void {
  if (NO_MODES) cpSync(from, to, { recursive: true })
  else execFileSync('cp', ['-a', from, to])
}
