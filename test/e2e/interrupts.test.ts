// Ctrl-C is the person's own wish: at every prompt and every wait one quiet line, and exit 130.

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { NO_SIGNALS, testIf } from '../support/needs.ts'
import { PROGRAM, run, setStage, start } from '../support/program.ts'
import { NO_TMUX, openTerminal } from '../support/terminal.ts'

const NO_APP = { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' }

const WAITS: [string[], Record<string, string>, RegExp, string][] = [
  [['login', '--device'], {}, /Waiting for the approval/, 'The authorization was cancelled.'],
  [['login', '--no-browser'], {}, /Waiting for the approval/, 'The authorization was cancelled.'],
  [['setup', '--create-app'], NO_APP, /Waiting for the app/, 'Stopped before it was done.'],
  [['gateway', '--listen', '127.0.0.1:0'], {}, /127\.0\.0\.1:\d+/, ''],
]

for (const [args, env, waits, line] of WAITS) {
  testIf(NO_SIGNALS)(`while ${args.join(' ')} waits`, async () => {
    const stage = await setStage({ env })
    const running = start(stage, args)
    await running.written(waits)
    running.child.kill('SIGINT')
    const { code, stderr } = await running.end
    expect([code, stderr]).toEqual([130, expect.not.stringMatching(/FAILED|Error:|\[code=/)])
    if (line !== '') expect(stderr.trimEnd().split('\n').at(-1)).toBe(line)
  })
}

/** What is typed until a prompt shows, and the prompt. */
const PROMPTS: [string, string[], RegExp][] = [
  ['for the tools', [], /\[Y\/n\] $/],
  ['for the way', [''], /\[1\] $/],
  ['for the brand', ['', '1'], /\[feishu\] $/],
  ['for the App ID', ['', '1', ''], /App ID[^\n]*: $/],
  ['for the App Secret', ['', '1', '', 'APP_ID'], /App Secret[^\n]*: $/],
  ['for Enter', ['', '1', '', 'APP_ID', 'APP_SECRET'], /Enter[^\n]*\. $/],
  ['for the login', ['', '1', '', 'APP_ID', 'APP_SECRET', ''], /\[browser\] $/],
]

for (const [what, answers, prompt] of PROMPTS) {
  testIf(NO_TMUX)(`at the prompt ${what}`, async () => {
    const stage = await setStage({ env: { ...NO_APP, LANG: 'C.UTF-8', TERM: 'xterm' } })
    const { appId, appSecret } = stage.sandbox.app
    const terminal = openTerminal(stage, `"${process.execPath}" "${PROGRAM}" setup`)
    for (const [index, answer] of answers.entries()) {
      await terminal.seen(PROMPTS[index]?.[2] ?? /^$/)
      terminal.type(answer === 'APP_ID' ? appId : answer === 'APP_SECRET' ? appSecret : answer)
    }
    await terminal.seen(prompt)
    terminal.press('C-c')
    const [ended] = await terminal.seen(/[\s\S]*ended with \d+[\s\S]*icanon[\s\S]*echo /)
    expect(ended).toMatch(/Stopped before it was done\.\s+ended with 130/)
    expect(ended).not.toMatch(/FAILED|Error:|\[code=|-icanon/)
    expect(existsSync(join(stage.tokenDir, 'app.json'))).toBe(answers.length > 4)
    const kept = JSON.parse((await run(stage, ['status', '--json'])).stdout)
    expect(kept.status).toBe(answers.length > 4 ? 'not_authorized' : 'not_configured')
  })
}
