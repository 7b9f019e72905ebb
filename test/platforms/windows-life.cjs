// One life of the built program on Windows' Node, its client a Windows process too. It knows nothing of Wine.
// Usage: node windows-life.cjs MAIN.JS FOLDER REPORT.JSON, with SANDBOX={"url","appId","appSecret","port"}

const { spawn } = require('node:child_process')
const fs = require('node:fs')
const http = require('node:http')
const { join } = require('node:path')

const [main, folder, report] = process.argv.slice(2)
const sandbox = JSON.parse(process.env.SANDBOX)
/** Preloaded modules are for the program as well. */
const words = [...process.execArgv, main]
const env = {
  ...process.env,
  USERPROFILE: folder,
  FEISHU_APP_ID: sandbox.appId,
  FEISHU_APP_SECRET: sandbox.appSecret,
  FEISHU_ACCOUNTS_URL: sandbox.url,
  FEISHU_OPEN_URL: sandbox.url,
  FEISHU_REDIRECT_URI: `http://127.0.0.1:${sandbox.port}/callback`,
  FEISHU_TOKEN_KEY_SOURCE: 'file',
  FEISHU_OPEN_BROWSER: 'false',
  FEISHU_AUTO_REFRESH: 'false',
  FEISHU_LANG: 'en',
}

/** Starts the server, and speaks MCP with it. */
async function startServer() {
  const child = spawn(process.execPath, words, { env, windowsHide: true })
  const waiting = new Map()
  let rest = ''
  child.stdout.on('data', (chunk) => {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()
    for (const message of lines.map((line) => JSON.parse(line))) waiting.get(message.id)?.(message.result)
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const send = (message) => child.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
  const ask = (method, params) => {
    const id = waiting.size + 1
    const answer = new Promise((resolve) => waiting.set(id, resolve))
    send({ id, method, params })
    return Promise.race([answer, ended.then((code) => Promise.reject(new Error(`it ended with ${code}`)))])
  }
  const clientInfo = { name: 'life', version: '1.0.0' }
  await ask('initialize', { protocolVersion: '2025-06-18', capabilities: {}, clientInfo })
  send({ method: 'notifications/initialized' })
  return {
    tools: async () => (await ask('tools/list')).tools,
    async call(name, args = {}) {
      const { isError, structuredContent, content } = await ask('tools/call', { name, arguments: args })
      return { ok: !isError, text: content[0].text, ...structuredContent }
    },
    close() {
      child.stdin.end()
      return ended
    },
  }
}

/** Runs a command to its end. */
function run(args, more = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...words, ...args], {
      env: { ...env, ...more },
      windowsHide: true,
    })
    let stdout = ''
    let text = ''
    child.stdout.on('data', (chunk) => {
      stdout += chunk
      text += chunk
    })
    child.stderr.on('data', (chunk) => {
      text += chunk
    })
    child.stdin.end()
    child.on('close', (code) =>
      resolve({ code, stdout, text, json: args.includes('--json') ? JSON.parse(stdout) : {} }),
    )
  })
}

/** What a browser does with a link, redirects and all: the status of the page at the end. */
async function visit(url) {
  const headers = { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Accept: 'text/html' }
  const { statusCode, headers: given } = await new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false, headers }, (response) =>
      response.resume().on('end', () => resolve(response)),
    )
    request.on('error', reject)
  })
  return given.location ? visit(new URL(given.location, url).href) : statusCode
}

function expect(holds, seen) {
  if (!holds)
    throw new Error(
      String(typeof seen === 'string' ? seen : JSON.stringify(seen))
        .replace(/\s+/g, ' ')
        .slice(0, 300),
    )
}

const servers = []

const CHECKS = {
  async 'says its version'() {
    const { code, text } = await run(['--version'])
    expect(code === 0, text)
  },
  async 'two servers list their tools'() {
    servers.push(await startServer(), await startServer())
    for (const server of servers) expect((await server.tools()).length === 3, 'not three')
  },
  async 'an authorization begins'() {
    const answer = await servers[0].call('start_authorization')
    expect(answer.authorization_url, answer.text)
  },
  async 'the other process joins it'() {
    const answer = await servers[1].call('start_authorization')
    expect(answer.joined, answer.text)
  },
  async 'another profile is told who has the port'() {
    const { text } = await servers[1].call('start_authorization', { profile: 'other' })
    expect(text.includes('waits for the approval of profile "default"'), text)
  },
  async 'the browser comes back'() {
    const { authorization_url } = await servers[0].call('start_authorization')
    const status = await visit(authorization_url)
    expect(status === 200, status)
  },
  async 'both processes see the token'() {
    for (const server of servers) {
      const answer = await server.call('token_status', { wait_seconds: 20 })
      expect(answer.status === 'valid', answer.text)
    }
  },
  async 'twenty refreshes while the other looks'() {
    let over = false
    const looking = (async () => {
      while (!over) {
        const { ok, text } = await servers[1].call('token_status')
        expect(ok, text)
      }
    })()
    looking.catch(() => undefined)
    try {
      for (let round = 0; round < 20; round += 1) {
        const { persisted, text } = await servers[0].call('refresh_token', { force: true })
        expect(persisted, text)
      }
    } finally {
      over = true
    }
    await looking
  },
  async 'a script gets the token'() {
    const { code, text } = await run(['token'])
    expect(code === 0 && text.length > 20, text)
  },
  async 'the person is named in Chinese characters'() {
    const { json, text } = await run(['status', '--json'])
    expect(json.status === 'valid' && /[\u4e00-\u9fff]/.test(json.user_name), text)
  },
  async 'exec runs a .cmd with any argument'() {
    const script =
      'console.log(JSON.stringify(process.argv.slice(2)), process.env.USER_ACCESS_TOKEN.length); process.exitCode = 5'
    fs.writeFileSync(join(folder, 'args.js'), script)
    fs.writeFileSync(join(folder, 'hello.cmd'), '@ECHO off\r\n"%NODE_EXE%" "%~dp0\\args.js" %*\r\n')
    const path = Object.keys(env).find((name) => name.toLowerCase() === 'path')
    const more = { NODE_EXE: process.execPath, [path]: `${folder};${env[path]}` }
    const { code, stdout, text } = await run(
      ['exec', '--no-gateway', '--', 'hello', 'a b', 'c&d', '飞书'],
      more,
    )
    expect(code === 5 && stdout.startsWith('["a b","c&d","飞书"]'), text)
  },
  async 'deliver keeps the line ends'() {
    const file = join(folder, '.env')
    fs.writeFileSync(file, 'A=1\r\nT=old\r\nB=2\r\n')
    const { code, text } = await run(['deliver', '--json'], { FEISHU_DELIVER_TO: `dotenv:${file}#T` })
    expect(code === 0 && /^A=1\r\nT="?[^\r\n]{20,}\r\nB=2\r\n$/.test(fs.readFileSync(file, 'utf8')), text)
  },
  async 'the key moves into the keychain'() {
    const moved = await run(['key', '--move-to', 'keychain', '--json'])
    const { json, text } = await run(['status', '--json'])
    expect(json.key_source === 'keychain', moved.text + text)
  },
  async 'a directory on a drive that is not there is named'() {
    const { code, text } = await run(['refresh'], { FEISHU_TOKEN_DIR: 'Q:\\tokens' })
    expect(code === 2 && text.includes('The directory Q:\\tokens cannot be made (ENOENT)'), text)
  },
  async 'doctor finds nothing wrong'() {
    const { json } = await run(['doctor', '--json'])
    const wrong = json.checks.filter(({ status }) => status === 'fail')
    expect(wrong.length === 0, wrong)
  },
  async logout() {
    const { code, text } = await run(['logout'])
    expect(code === 0, text)
  },
  async 'the end of stdin ends both servers'() {
    const codes = await Promise.all(servers.map((server) => server.close()))
    expect(
      codes.every((code) => code === 0),
      codes,
    )
  },
}

async function live() {
  fs.mkdirSync(folder, { recursive: true })
  let failed = 0
  const names = Object.keys(CHECKS)
  for (const name of names) {
    try {
      await CHECKS[name]()
      fs.writeSync(1, `ok   ${name}\n`)
    } catch (error) {
      failed += 1
      fs.writeSync(1, `FAIL ${name}: ${error.message}\n`)
    }
  }
  const numbers = { numPassedTests: names.length - failed, numFailedTests: failed, numPendingTests: 0 }
  fs.writeFileSync(report, JSON.stringify(numbers))
  process.exit(failed > 0 ? 1 : 0)
}

void live()
