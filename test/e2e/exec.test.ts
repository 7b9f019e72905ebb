import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { NO_MODES, NO_POSIX, NO_SIGNALS, testIf } from '../support/needs.ts'
import { authorize, PROGRAM, run, type Stage, setStage, start, startServer } from '../support/program.ts'

/** A child that calls a protected API with what its environment holds, each time a line comes on stdin. */
const CALLER = `
  const { createInterface } = require('node:readline')
  const { FEISHU_USER_ACCESS_TOKEN: token, LARK_DOMAIN: domain } = process.env
  createInterface({ input: process.stdin }).on('line', async () => {
    const answer = await fetch(domain + '/open-apis/authen/v1/user_info', { headers: { authorization: 'Bearer ' + token } })
    console.log(JSON.stringify({ status: answer.status, code: (await answer.json()).code }))
  })
`

async function authorizedStage(): Promise<Stage> {
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  return stage
}

async function childEnvironment(stage: Stage, args: string[], env = {}): Promise<Record<string, string>> {
  const print = 'process.stdout.write(JSON.stringify(process.env))'
  const ended = await run(stage, ['exec', ...args, '--', process.execPath, '-e', print], { env })
  expect(ended.code).toBe(0)
  return JSON.parse(ended.stdout)
}

test('the child gets a key for the gateway, the gateway address, and the app, and no token', async () => {
  const stage = await authorizedStage()
  const env = await childEnvironment(stage, [], { FEISHU_TOKEN_KEY: Buffer.alloc(32, 7).toString('base64') })
  expect(env.USER_ACCESS_TOKEN).toBe(env.FEISHU_USER_ACCESS_TOKEN)
  expect(stage.sandbox.secrets()).not.toContain(env.USER_ACCESS_TOKEN)
  expect(env.LARK_DOMAIN).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
  expect(env.FEISHU_OPEN_URL).toBe(env.LARK_DOMAIN)
  expect(env.FEISHU_TOKEN_GATEWAY).toBe(stage.sandbox.url)
  expect(env.APP_ID).toBe(stage.sandbox.app.appId)
  expect(env.APP_SECRET).toBe(stage.sandbox.app.appSecret)
  expect(env.FEISHU_TOKEN_KEY).toBeUndefined()
  expect(env.HOME).toBe(stage.home)
})

test('without the gateway the child gets the access token itself', async () => {
  const stage = await authorizedStage()
  const env = await childEnvironment(stage, ['--no-gateway'])
  expect(stage.sandbox.inspect(String(env.USER_ACCESS_TOKEN))).toMatchObject({
    kind: 'access_token',
    status: 'live',
  })
  expect(env.FEISHU_OPEN_URL).toBe(stage.sandbox.url)
  expect(env.FEISHU_TOKEN_GATEWAY).toBeUndefined()
})

test('a child goes on calling while the token expires and rotates', async () => {
  const stage = await authorizedStage()
  const child = start(stage, ['exec', '--', process.execPath, '-e', CALLER])
  const call = async (nth: number) => {
    child.child.stdin?.write('\n')
    await child.written(new RegExp(`(\\{.*\\}\n){${nth}}`))
  }
  for (let nth = 1; nth <= 4; nth += 1) {
    await call(nth)
    stage.sandbox.clock.advance(stage.sandbox.knobs.accessTokenLifetimeMs + 1_000)
  }
  child.child.stdin?.end()
  const ended = await child.end
  expect(ended.stdout.trim().split('\n')).toEqual(Array(4).fill('{"status":200,"code":0}'))
  expect(stage.sandbox.ledger.filter(({ outcome }) => outcome === 'rotated')).toHaveLength(3)
})

test('stdio and exit code are the child’s own', async () => {
  const stage = await authorizedStage()
  const node = process.execPath
  const echo = "process.stdin.pipe(process.stdout); process.stderr.write('e'); process.exitCode = 42"
  const echoed = await run(stage, ['exec', '--', node, '-e', echo], { input: 'through' })
  expect(echoed).toMatchObject({ code: 42, stdout: 'through', stderr: 'e' })
  expect((await run(stage, ['exec', '--', '/no/such/command'])).code).toBe(127)
  expect((await run(stage, ['exec'])).code).toBe(2)
})

testIf(NO_MODES)('what may not be executed is told by the exit code', async () => {
  const stage = await authorizedStage()
  const plain = join(stage.home, 'plain')
  await writeFile(plain, 'text')
  expect((await run(stage, ['exec', '--', plain])).code).toBe(126)
})

testIf(NO_SIGNALS)('the signal that ended the child stands in the exit code', async () => {
  const stage = await authorizedStage()
  const args = ['exec', '--', process.execPath, '-e', "process.kill(process.pid, 'SIGTERM')"]
  expect((await run(stage, args)).code).toBe(143)
})

testIf(NO_SIGNALS)('a signal reaches the child, and its answer to it counts', async () => {
  const stage = await authorizedStage()
  const script =
    "process.on('SIGTERM', () => process.exit(7)); setInterval(() => {}, 1000); console.log('ready')"
  const running = start(stage, ['exec', '--', process.execPath, '-e', script])
  await running.written(/ready/)
  running.child.kill('SIGTERM')
  expect((await running.end).code).toBe(7)
})

testIf(NO_POSIX)('no token stands in the command line of exec or of its child', async () => {
  const stage = await authorizedStage()
  const script = "setInterval(() => {}, 1000); console.log('pid ' + process.pid)"
  const running = start(stage, ['exec', '--no-gateway', '--', process.execPath, '-e', script])
  const [, pid] = await running.written(/pid (\d+)/)
  const lines = [running.child.pid, pid].map((of) => readFileSync(`/proc/${of}/cmdline`, 'utf8')).join('\n')
  for (const secret of stage.sandbox.secrets()) expect(lines).not.toContain(secret)
  running.child.kill('SIGTERM')
  await running.end
})

test('a program that cannot use the gateway gets the token itself, and stderr says until when it is good', async () => {
  const stage = await authorizedStage()
  const print = 'process.stdout.write(JSON.stringify(process.env))'
  const ended = await run(stage, ['exec', '--for', 'lark-cli', '--', process.execPath, '-e', print])
  const env = JSON.parse(ended.stdout)
  expect(stage.sandbox.inspect(env.LARKSUITE_CLI_USER_ACCESS_TOKEN)).toMatchObject({ status: 'live' })
  expect(env.LARKSUITE_CLI_APP_ID).toBe(stage.sandbox.app.appId)
  expect(ended.stderr).toMatch(
    /^lark-cli gets the access token itself, which is good until 20\d\d-\d\d-\d\d \d\d:\d\d\.\n$/,
  )
})

testIf(NO_POSIX)(
  'behind a proxy for all the gateway is reached directly, and the proxy sees nothing',
  async () => {
    const stage = await authorizedStage()
    const seen: string[] = []
    const proxy = createServer((socket) => socket.on('data', (data) => seen.push(String(data))).end())
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    onTestFinished(() => void proxy.close())
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const script =
      'curl -sS -m 20 -H "Authorization: Bearer $USER_ACCESS_TOKEN" $LARK_DOMAIN/open-apis/authen/v1/user_info'
    const env = {
      HTTP_PROXY: address,
      http_proxy: address,
      ALL_PROXY: address,
      all_proxy: address,
      NO_PROXY: 'corp.example',
    }
    const ended = await run(stage, ['exec', '--', 'sh', '-c', script], { env })
    expect(ended.stderr).toBe('')
    expect(JSON.parse(ended.stdout)).toMatchObject({ code: 0 })
    expect(seen).toEqual([])
  },
)

testIf(NO_POSIX)(
  'a value with the token stands in no command line, and what stands in the command is left as it is',
  async () => {
    const stage = await authorizedStage()
    const script = "setInterval(() => {}, 1000); console.log('pid ' + process.pid + ' ' + process.argv[1])"
    const args = [
      'exec',
      '--no-gateway',
      '--env',
      'MINE=Bearer {token}',
      '--',
      process.execPath,
      '-e',
      script,
      '{token}',
    ]
    const running = start(stage, args)
    const [, pid] = await running.written(/pid (\d+) \{token\}/)
    const lines = [running.child.pid, pid].map((of) => readFileSync(`/proc/${of}/cmdline`, 'utf8')).join('\n')
    for (const secret of stage.sandbox.secrets()) expect(lines).not.toContain(secret)
    const environment = readFileSync(`/proc/${pid}/environ`, 'utf8')
    const mine = /MINE=Bearer ([^\0]+)/.exec(environment)?.[1] ?? ''
    expect(stage.sandbox.inspect(mine)).toMatchObject({ status: 'live' })
    running.child.kill('SIGTERM')
    await running.end
  },
)

test.each([
  [['--for', 'nobody', '--', 'true']],
  [['--env', 'A={nothing}', '--', 'true']],
  [['--env', 'A', '--', 'true']],
])('%j is a usage error', async (args) => {
  const ended = await run(await setStage(), ['exec', ...args])
  expect(ended).toMatchObject({ code: 2, stdout: '' })
})

test('below exec this program itself finds the app by its other name', async () => {
  const stage = await authorizedStage()
  const ended = await run(stage, ['exec', '--', process.execPath, PROGRAM, 'status', '--json'])
  expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'valid', app_id: stage.sandbox.app.appId })
})
