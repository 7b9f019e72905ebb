// What a person sees at a real terminal (tmux), and a pipe does not.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import { columns } from '../../src/sentence.ts'
import { testIf } from '../support/needs.ts'
import { approve, PROGRAM, run, type Stage, setStage } from '../support/program.ts'
import { NO_TMUX, openTerminal, type Terminal } from '../support/terminal.ts'

const env = { LANG: 'C.UTF-8', TERM: 'screen' }

function open(stage: Stage, args: string, columns?: number): Terminal {
  return openTerminal(stage, `"${process.execPath}" "${PROGRAM}" ${args}`, columns)
}

testIf(NO_TMUX)('without arguments, a terminal is told what this is and where the help is', async () => {
  const stage = await setStage({ env })
  const terminal = open(stage, '')
  const [line] = await terminal.seen(/This serves MCP.*--help`\.\r\n/)
  expect(line).toContain(`\`node ${PROGRAM} --help\``)
  terminal.press('C-c')
  await terminal.seen(/ended with 130/)
})

test('without arguments, a pipe gets not a word', async () => {
  const stage = await setStage({ env })
  expect(await run(stage, [])).toEqual({ code: 0, signal: null, stdout: '', stderr: '' })
  const child = spawn(process.execPath, [PROGRAM], { env: stage.env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  expect([await once(child, 'close'), said]).toEqual([[0, null], ''])
})

testIf(NO_TMUX)(
  'a mistake is told in words and colour, and with its code to whoever asks for it',
  async () => {
    const stage = await setStage({ env })
    const terminal = open(stage, 'stauts --json')
    const [text] = await terminal.seen(/[\s\S]*ended with 2/)
    expect(text).toMatch(/\x1b\[31mError:\x1b\[39m There is no command "stauts" \(did you mean status\?\)\./)
    expect(text).toContain('"code": "config_invalid"')
    expect(text).not.toContain('[code=')
  },
)

/** Columns of a narrow terminal. */
const NARROW = 60

describe.each(['en', 'zh'])('a narrow terminal (%s)', (language) => {
  for (const args of ['doctor', 'status', 'status --help', 'frobnicate']) {
    testIf(NO_TMUX)(
      `is told by ${args} in lines of its width; what is one piece alone is wider`,
      async () => {
        const stage = await setStage({ env: { ...env, FEISHU_LANG: language } })
        const terminal = open(stage, args, NARROW)
        const [text] = await terminal.seen(/[\s\S]*ended with \d/)
        const lines = text.replace(/\x1b\[\d+m/g, '').split('\r\n')
        expect(lines.length).toBeGreaterThan(2)
        const wide = lines.filter((line) => columns(line) > NARROW && !line.includes(PROGRAM))
        expect(wide.filter((line) => line.trim().includes(' '))).toEqual([])
      },
    )
  }
})

describe('a login', () => {
  testIf(NO_TMUX)('shows that it waits, and until when', async () => {
    const stage = await setStage({ env })
    const terminal = open(stage, 'login --no-browser')
    const [, url] = await terminal.seen(/(http\S+\/authorize\?\S+)/)
    await terminal.seen(/Waiting for approval until \d\d:\d\d \(\d+:\d\d left; Ctrl-C stops\)/)
    await approve(stage, url)
    const [end] = await terminal.seen(/\r\x1b\[2K[^W][\s\S]*ended with 0/)
    expect(end).toMatch(/Logged in as .*\.\x1b/)
  })

  testIf(NO_TMUX)('over SSH says before the paste that the last page will not load', async () => {
    const stage = await setStage({ env: { ...env, SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22' } })
    const terminal = open(stage, 'login')
    const [, url] = await terminal.seen(/(http\S+\/authorize\?\S+)/)
    await terminal.seen(
      /The last page will not load.*That is expected\.\s+Copy its whole address .* by \d\d:\d\d:/,
    )
    terminal.type(await stage.sandbox.approve(url ?? ''))
    await terminal.seen(/Logged in as [\s\S]*ended with 0/)
  })

  testIf(NO_TMUX)('says so in Chinese, too', async () => {
    const ssh = { SSH_CONNECTION: '192.0.2.1 1 192.0.2.2 22', FEISHU_LANG: 'zh' }
    const stage = await setStage({ env: { ...env, ...ssh } })
    const terminal = open(stage, 'login')
    const [, url] = await terminal.seen(/(http\S+\/authorize\?\S+)/)
    await terminal.seen(/授权后的最后一个页面会打不开[\s\S]*这是正常的。\s+请在 \d\d:\d\d 前/)
    terminal.type(await stage.sandbox.approve(url ?? ''))
    await terminal.seen(/已登录：[\s\S]*ended with 0/)
  })
})
