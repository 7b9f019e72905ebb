import { EventEmitter } from 'node:events'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { createBrowser, isRemote } from '../../src/machine/browser.ts'
import type { System } from '../../src/machine/system.ts'
import { inEnglish } from '../../src/sentence.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_POSIX, testIf } from '../support/needs.ts'

const URL_OF_LINK = 'https://accounts.feishu.cn/open-apis/authen/v1/authorize?client_id=cli_a1'

/** A program that was started and has ended, or (null) goes on. */
function started(exitCode: number | null) {
  return Object.assign(new EventEmitter(), { exitCode, unref: () => undefined })
}

async function open(
  machine: Partial<System>,
  exitCode: number | null = 0,
): Promise<{ problem: string | null; opened: string[][] }> {
  const opened: string[][] = []
  const note = async (words: string[]) => {
    opened.push(words)
    return started(exitCode)
  }
  const browser = createBrowser(
    { platform: 'linux', environment: {}, ...machine },
    { open: (url) => note([url]), run: (program, args) => note([program, ...args]) },
  )
  const problem = await browser(URL_OF_LINK)
  return { problem: problem && String(problem), opened }
}

test.each<[string, Partial<System>]>([
  ['X', { environment: { DISPLAY: ':0' } }],
  ['Wayland', { environment: { WAYLAND_DISPLAY: 'wayland-0' } }],
  ['macOS', { platform: 'darwin' }],
  ['Windows', { platform: 'win32' }],
])('on %s the link is opened as it is', async (_, machine) => {
  expect(await open(machine)).toEqual({ problem: null, opened: [[URL_OF_LINK]] })
})

test.each(['SSH_CONNECTION', 'SSH_CLIENT', 'SSH_TTY'])(
  '%s alone says that the person sits elsewhere, even with a display that is forwarded',
  async (name) => {
    const environment = { [name]: 'something', DISPLAY: 'localhost:10.0' }
    expect(isRemote({ platform: 'darwin', environment })).toBe(true)
    expect(await open({ environment })).toEqual({ problem: expect.stringMatching(/SSH/), opened: [] })
  },
)

test('an empty variable is none', async () => {
  const environment = { SSH_CONNECTION: '', SSH_TTY: '', DISPLAY: '', WAYLAND_DISPLAY: '' }
  expect(isRemote({ platform: 'linux', environment })).toBe(false)
  expect(await open({ environment })).toEqual({ problem: expect.stringMatching(/no DISPLAY/), opened: [] })
})

test('that a display is missing is told to a model with what Codex needs, to a terminal without', async () => {
  const launch = () => Promise.reject(new Error('no browser is started'))
  const browser = createBrowser({ platform: 'linux', environment: {} }, { open: launch, run: launch })
  const problem = await browser(URL_OF_LINK)
  expect(String(problem)).toContain('; for Codex add DISPLAY')
  expect(problem && inEnglish(problem, { command: 'x', profile: undefined })).toBe(
    'no browser was opened: this process has no DISPLAY',
  )
})

test('a browser that cannot be started is a reason, one that starts slowly is not', async () => {
  const machine: System = { platform: 'darwin', environment: {} }
  const never = () => new Promise<never>(() => undefined)
  const broken = createBrowser(machine, { open: () => Promise.reject(new Error('no program')), run: never })
  expect(String(await broken(URL_OF_LINK))).toBe('no browser could be started')
  const slow = createBrowser(machine, { open: never, run: never })
  expect(await slow(URL_OF_LINK)).toBeNull()
})

test('what ended with a failure has opened nothing; what goes on has', async () => {
  const machine = { environment: { DISPLAY: ':0' } }
  expect(await open(machine, 3)).toEqual({ problem: 'no browser could be started', opened: [[URL_OF_LINK]] })
  expect((await open(machine, null)).problem).toBeNull()
})

test.each([
  ['exit', 3, 'no browser could be started'],
  ['error', new Error('ENOENT'), 'no browser could be started'],
  ['exit', 0, null],
])('what ends while it is looked at (%s, %s) is judged by that', async (event, what, problem) => {
  const program = started(null)
  const open = async () => {
    setImmediate(() => program.emit(event, what))
    return program
  }
  const browser = createBrowser({ platform: 'darwin', environment: {} }, { open, run: open })
  expect((await browser(URL_OF_LINK))?.toString() ?? null).toBe(problem)
})

describe('BROWSER', () => {
  test.each<[string, string[]]>([
    ['/opt/firefox/firefox', ['/opt/firefox/firefox', URL_OF_LINK]],
    ['/opt/x --new-window', ['/opt/x', '--new-window', URL_OF_LINK]],
    ['/opt/x --url=%s --private', ['/opt/x', `--url=${URL_OF_LINK}`, '--private']],
  ])('%s is started with the link, without a display and over SSH too', async (BROWSER, words) => {
    const environment = { BROWSER, SSH_CONNECTION: 'something' }
    expect(await open({ environment })).toEqual({ problem: null, opened: [words] })
  })

  testIf(NO_POSIX)('names a program of PATH, never one of the current folder', async () => {
    const bin = makeFolder()
    writeFileSync(join(bin, 'my-browser'), '#!/bin/sh\n')
    chmodSync(join(bin, 'my-browser'), 0o755)
    const environment = { BROWSER: 'my-browser', PATH: bin }
    expect((await open({ environment })).opened).toEqual([[`${bin}/my-browser`, URL_OF_LINK]])
    expect(await open({ environment: { ...environment, PATH: '.' } })).toEqual({
      problem: 'what BROWSER names could not be started',
      opened: [],
    })
  })

  test('is a list: the next one is tried where one fails, and none other after the last', async () => {
    const environment = { BROWSER: '/opt/a:/opt/b', DISPLAY: ':0' }
    expect(await open({ environment }, 1)).toEqual({
      problem: 'what BROWSER names could not be started',
      opened: [
        ['/opt/a', URL_OF_LINK],
        ['/opt/b', URL_OF_LINK],
      ],
    })
  })

  test('that needs a terminal is as if there were none', async () => {
    const environment = { BROWSER: 'w3m', DISPLAY: ':0' }
    expect((await open({ environment })).opened).toEqual([[URL_OF_LINK]])
  })
})
