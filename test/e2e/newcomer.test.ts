// A newcomer with only the README, at a terminal: types what it says, answers what is asked, and has a working token.

import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, onTestFinished } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { blocks, section } from '../support/document.ts'
import { fakeBrowser } from '../support/fake-browser.ts'
import { testIf } from '../support/needs.ts'
import { approve, run, type Stage, setStage, startServer } from '../support/program.ts'
import { NO_TMUX, openTerminal } from '../support/terminal.ts'

const README = readFileSync('README.md', 'utf8')

/** The first block of code of a language in a text. */
function block(text: string, language: string): string {
  const found = blocks(text).find((each) => each.language === language)
  if (!found) throw new Error(`the README has no ${language} there`)
  return found.text.trim()
}

/** What the browser shows is answered with a click; without Chromium, with the request that a click makes. */
async function clickApprove(stage: Stage, url: string): Promise<void> {
  const browser = await launchChromium()
  if (!browser) return void (await approve(stage, url))
  onTestFinished(() => browser.close())
  const tab = await browser.newPage({ locale: 'en-US' })
  await tab.goto(url)
  await tab.click('#approve')
  await tab.waitForURL(`${stage.env.FEISHU_REDIRECT_URI}?**`)
  expect(await tab.locator('h1').textContent()).toBe('Authorization complete')
}

testIf(NO_TMUX)('the README alone leads to a working token, by setup, in one go', async () => {
  // No app and no client yet; the sandbox stands where Feishu would.
  const stage = await setStage({
    env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '', LANG: 'C.UTF-8', TERM: 'xterm', NO_COLOR: '1' },
  })
  const browser = fakeBrowser(stage)
  stage.env = { ...stage.env, ...browser.env }
  const { appId, appSecret } = stage.sandbox.app

  const [build, setup] = block(section('Set it up', README), 'sh').split('\n')
  expect(build).toBe('npm ci && npm run build')
  const terminal = openTerminal(stage, `cd "${resolve('.')}" && ${setup}`)
  await terminal.seen(/\[Y\/n\] /)
  terminal.type('')
  await terminal.seen(/Which way\? \[1\] /)
  terminal.type('')
  await terminal.seen(/\[feishu\] /)
  terminal.type('')
  await terminal.seen(/App ID[^\n]*: $/)
  terminal.type(appId)
  await terminal.seen(/App Secret[^\n]*: $/)
  terminal.type(appSecret)
  // The pages of the developer console, for this very app.
  const [steps] = await terminal.seen(/In the developer console:[\s\S]*Enter[^\n]*$/)
  for (const page of ['safe', 'auth?q=']) expect(steps).toContain(`${stage.sandbox.url}/app/${appId}/${page}`)
  expect(steps).toContain(stage.env.FEISHU_REDIRECT_URI)
  terminal.type('')
  await terminal.seen(/No MCP client was found[\s\S]*\[browser\] /)
  terminal.type('')
  const [url = ''] = await browser.argv()
  await clickApprove(stage, url)
  await terminal.seen(/status: +valid[\s\S]*ended with 0/)
  for (const secret of stage.sandbox.secrets()) expect(terminal.transcript()).not.toContain(secret)

  // The entry of the README, and nothing else, finds the token.
  const { mcpServers } = JSON.parse(block(README, 'json'))
  const { command, args } = mcpServers.feishu
  expect([command, args[0]]).toEqual(['node', '/path/to/feishu-token-mcp/dist/main.js'])
  const server = await startServer(stage, {
    args: args.slice(1),
    env: { FEISHU_MCP_URL: `${stage.sandbox.url}/mcp` },
  })
  const status = await server.call('token_status', { verify: true })
  expect(status.data).toMatchObject({ status: 'valid', verified: true, user_name: stage.sandbox.user.name })

  // What it was all for: a document is read.
  const far = async (name: string, args: Record<string, string>) => {
    const { content } = await server.client.callTool({ name, arguments: args })
    return (content as { text: string }[])[0]?.text ?? ''
  }
  const [found] = JSON.parse(await far('search-doc', { query: 'weekly' })).items
  expect(await far('fetch-doc', { doc_id: found.doc_id })).toContain('the launch, at 15:00')

  // The token works, now and after its end.
  for (const generation of [1, 2]) {
    const { stdout } = await run(stage, ['token'])
    const asked = await fetch(`${stage.sandbox.url}/open-apis/authen/v1/user_info`, {
      headers: { authorization: `Bearer ${stdout.trim()}` },
    })
    expect(await asked.json()).toMatchObject({ code: 0, data: { open_id: stage.sandbox.user.openId } })
    expect((await server.call('token_status')).data.generation).toBe(generation)
    if (generation === 1) expect((await run(stage, ['refresh', '--force'])).code).toBe(0)
  }
  expect(readFileSync(join(stage.tokenDir, 'app.json'), 'utf8')).not.toContain(appSecret)
})
