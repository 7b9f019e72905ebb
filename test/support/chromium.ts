// The real browser of the tests that look at pages as a person does.

import { accessSync, constants } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

const EXECUTABLE = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
export const NO_CHROMIUM: string = `no Chromium at ${EXECUTABLE}: apt-get install chromium fonts-noto-cjk, or set CHROMIUM_PATH`

/** It asks nobody on the network for anything. */
const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

function isInstalled(): boolean {
  try {
    accessSync(EXECUTABLE, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** Starts Chromium; null, and a line on stderr, where there is none. */
export async function launchChromium(args: string[] = []): Promise<Browser | null> {
  if (isInstalled()) return chromium.launch({ executablePath: EXECUTABLE, args: [...ARGUMENTS, ...args] })
  return null
}
