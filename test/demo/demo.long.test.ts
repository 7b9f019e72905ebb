import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createPerson } from '../feishu-sandbox/person.ts'
import { describeIf } from '../support/needs.ts'
import { setStage } from '../support/program.ts'
import { NO_TMUX, openTerminal, type Terminal } from '../support/terminal.ts'

type Run = { code: number | null; stdout: string; stderr: string; left: string[] }

/** Runs the demo as `npm run demo` does, without a terminal. */
async function runDemo(options: { args?: string[]; cwd?: string } = {}): Promise<Run> {
  const temporary = mkdtempSync(join(tmpdir(), 'demo-test-'))
  onTestFinished(() => rmSync(temporary, { recursive: true, force: true }))
  const child = spawn(
    process.execPath,
    [resolve('scripts/run.mjs'), resolve('test/demo/demo.ts'), ...(options.args ?? [])],
    { cwd: options.cwd ?? process.cwd(), env: { ...process.env, TMPDIR: temporary, TEMP: temporary } },
  )
  onTestFinished(() => void child.kill('SIGKILL'))
  let stdout = ''
  let stderr = ''
  child.stdin.end()
  child.stdout.on('data', (chunk) => {
    stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const [code] = await once(child, 'close')
  return { code, stdout, stderr, left: readdirSync(temporary) }
}

test('the demo ends with a document that is read, by itself', async () => {
  const { code, stdout, stderr, left } = await runDemo({ args: ['--auto'] })
  expect(stderr).toBe('')
  expect(code).toBe(0)
  expect(stdout.match(/^> .*$/gm)).toEqual([
    '> search-doc {"query":"weekly"}',
    '> start_authorization {"open_browser":false}',
    '> token_status {"wait_seconds":45}',
    '> search-doc {"query":"weekly"}',
    '> fetch-doc {"doc_id":"doxcnWeeklyPlan0000000000001"}',
    '> fetch-doc {"doc_id":"doxcnWeeklyPlan0000000000001"}',
    '> token_status {}',
  ])
  expect(stdout).toMatch(/FAILED: .*start_authorization.*code=not_authorized/)
  expect(stdout.match(/Thursday: the launch, at 15:00/g)).toHaveLength(2)
  expect(stdout).toContain('generation: 2')
  // A screen a step.
  for (const step of stdout.split(/^== /m)) expect(step.split('\n').length, step).toBeLessThan(36)
  expect(left).toEqual([])
})

test('without a terminal it prints an entry for its sandbox, and leaves neither sandbox nor listener behind', async () => {
  const { stdout } = await runDemo()
  const entry = JSON.parse(/^\{[\s\S]*?^\}/m.exec(stdout)?.[0] ?? '').mcpServers['feishu-token-sandbox']
  expect(entry).toMatchObject({ command: 'node', args: [resolve('dist/main.js'), 'connect'] })
  expect(stdout).toContain('This run ends now, and its sandbox with it')
  expect(stdout).toContain(`answers at ${entry.env.FEISHU_OPEN_URL};`)
  for (const url of [entry.env.FEISHU_OPEN_URL, entry.env.FEISHU_REDIRECT_URI]) {
    await expect(fetch(url)).rejects.toThrow()
  }
})

describeIf(NO_TMUX)('at a terminal without a display', () => {
  async function openDemo(...args: string[]): Promise<{ terminal: Terminal; url: string }> {
    const stage = await setStage({ env: { TERM: 'xterm', LANG: 'C.UTF-8' } })
    const demo = `"${process.execPath}" scripts/run.mjs test/demo/demo.ts ${args.join(' ')}`
    const terminal = openTerminal(stage, `env -u DISPLAY -u WAYLAND_DISPLAY ${demo}`)
    const [, url = ''] = await terminal.seen(/sandbox answers at (http:\S+);/)
    return { terminal, url }
  }

  test('it approves by itself, ends, and says how it would stay', async () => {
    const { terminal, url } = await openDemo()
    await terminal.seen(/it approves by itself/)
    await terminal.seen(/add `-- --no-browser` where there is no display/)
    await terminal.seen(/ended with 0/)
    await expect(fetch(url)).rejects.toThrow()
  })

  test('with --no-browser it waits for a person, and stays up until Ctrl-C', async () => {
    const { terminal, url } = await openDemo('--no-browser')
    const [, link = ''] = await terminal.seen(/^ *(http\S+\/authorize\?\S+)/m)
    await createPerson(url).approve(link).then(fetch)
    await terminal.seen(/The sandbox stays up for it until you press Ctrl-C/)
    expect((await fetch(url)).status).toBeGreaterThan(0)
    terminal.press('C-c')
    await terminal.seen(/ended with \d+/)
    await expect(fetch(url)).rejects.toThrow()
    expect(terminal.transcript()).not.toContain('This run ends now')
  })

  test('a person who declines is told that this was the end', async () => {
    const { terminal, url } = await openDemo('--no-browser')
    const [, link = ''] = await terminal.seen(/^ *(http\S+\/authorize\?\S+)/m)
    await createPerson(url).deny(link).then(fetch)
    await terminal.seen(/The demo failed: The person declined/)
    await terminal.seen(/ended with 1/)
  })
})

test('a demo that fails says so and ends with 1', async () => {
  const elsewhere = mkdtempSync(join(tmpdir(), 'demo-test-'))
  onTestFinished(() => rmSync(elsewhere, { recursive: true, force: true }))
  const { code, stderr, left } = await runDemo({ cwd: elsewhere })
  expect(stderr).toContain('The demo failed: ')
  expect(code).toBe(1)
  expect(left).toEqual([])
})
