import { expect, test } from 'vitest'
import { createBrowser, isRemote, type Machine } from '../../src/machine/browser.ts'

const URL_OF_LINK = 'https://accounts.feishu.cn/open-apis/authen/v1/authorize?client_id=cli_a1'

async function open(machine: Partial<Machine>): Promise<{ problem: string | null; opened: string[] }> {
  const opened: string[] = []
  const browser = createBrowser({ platform: 'linux', environment: {}, ...machine }, async (url) =>
    opened.push(url),
  )
  const problem = await browser(URL_OF_LINK)
  return { problem: problem && String(problem), opened }
}

test.each<[string, Partial<Machine>]>([
  ['X', { environment: { DISPLAY: ':0' } }],
  ['Wayland', { environment: { WAYLAND_DISPLAY: 'wayland-0' } }],
  ['macOS', { platform: 'darwin' }],
  ['Windows', { platform: 'win32' }],
])('on %s the link is opened as it is', async (_, machine) => {
  expect(await open(machine)).toEqual({ problem: null, opened: [URL_OF_LINK] })
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

test('a browser that cannot be started is a reason, one that starts slowly is not', async () => {
  const machine: Machine = { platform: 'darwin', environment: {} }
  const broken = createBrowser(machine, () => Promise.reject(new Error('no such program')))
  expect(String(await broken(URL_OF_LINK))).toBe('no browser could be started')
  const slow = createBrowser(machine, () => new Promise(() => undefined))
  expect(await slow(URL_OF_LINK)).toBeNull()
})
