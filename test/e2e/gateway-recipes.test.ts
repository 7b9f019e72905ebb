// The recipes of docs/gateway.md, as far as they can be followed without Docker and a running systemd.

import { execFile, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { expect, onTestFinished, test } from 'vitest'
import { NO_POSIX, NO_SIGNALS, skipIf, testIf } from '../support/needs.ts'
import { freePort } from '../support/port.ts'
import {
  authorize,
  PROGRAM,
  type Running,
  run,
  type Stage,
  setStage,
  start,
  startServer,
} from '../support/program.ts'

const TEXT = readFileSync('docs/gateway.md', 'utf8')

function block(language: string): string {
  const [, text] = new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'm').exec(TEXT) ?? []
  if (text === undefined) throw new Error(`no block in ${language}`)
  return text
}

/** The arguments behind the program in a line of a recipe. */
function argsOf(line: string): string[] {
  const [, args = ''] = /node \S+\/dist\/main\.js (.*)$/m.exec(line) ?? []
  return args.split(' ')
}

async function setScene(): Promise<{ stage: Stage; key: string; port: number }> {
  const stage = await setStage()
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  const key = (await run(stage, ['gateway', 'key', 'new', 'flow'])).stdout.trim()
  return { stage, key, port: await freePort() }
}

/** Another network: an address of its own, joined to ours by one wire. Null: that is not possible here. */
function startNetwork(): { enter: string[]; host: string } | null {
  try {
    const holder = spawn('unshare', ['--net', 'sleep', '60'], { stdio: 'ignore' })
    onTestFinished(() => void holder.kill('SIGKILL'))
    const pid = String(holder.pid)
    const enter = ['nsenter', '--target', pid, '--net']
    const [ours, theirs] = [`fg${pid}a`, `fg${pid}b`]
    const ip = (...args: string[]) => execFileSync('ip', args, { stdio: 'pipe' })
    // Until the process is in its own network, the wire's other end would land in ours.
    while (
      execFileSync('readlink', [`/proc/${pid}/ns/net`]).equals(
        execFileSync('readlink', ['/proc/self/ns/net']),
      )
    );
    ip('link', 'add', ours, 'type', 'veth', 'peer', 'name', theirs, 'netns', pid)
    ip('address', 'add', '10.213.77.1/24', 'dev', ours)
    ip('link', 'set', ours, 'up')
    execFileSync('nsenter', [...enter.slice(1), 'ip', 'address', 'add', '10.213.77.2/24', 'dev', theirs])
    execFileSync('nsenter', [...enter.slice(1), 'ip', 'link', 'set', theirs, 'up'])
    return { enter, host: '10.213.77.1' }
  } catch {
    return null
  }
}

test('a container reaches the gateway of the compose file by the name of its service', async (context) => {
  skipIf(NO_POSIX, context)
  const network = startNetwork()
  if (!network)
    return context.skip('no network namespaces: run as root, and apt-get install util-linux iproute2')
  const { stage, key, port } = await setScene()
  const [, command = ''] = /command: (.*)/.exec(block('yaml')) ?? []
  const [, name = ''] = /FEISHU_OPEN_BASE_URL: http:\/\/([\w-]+):9001/.exec(block('yaml')) ?? []
  expect(block('yaml')).toMatch(new RegExp(`^ {2}${name}:$`, 'm'))
  const gateway = start(stage, argsOf(command.replace(':9001', `:${port}`)))
  await gateway.written(/The gateway listens on 0\.0\.0\.0/)
  const curl = async (path: string, headers: string[] = []) => {
    const [file = '', ...enter] = network.enter
    const resolve = ['--resolve', `${name}:${port}:${network.host}`]
    const args = [
      ...enter,
      'curl',
      '-sS',
      '-m',
      '30',
      ...resolve,
      ...headers,
      `http://${name}:${port}${path}`,
    ]
    return (await promisify(execFile)(file, args)).stdout
  }
  expect(await curl('/healthz')).toBe('ok')
  const answer = await curl('/open-apis/authen/v1/user_info', ['-H', `Authorization: Bearer ${key}`])
  expect(JSON.parse(answer)).toMatchObject({ code: 0, data: { open_id: stage.sandbox.user.openId } })
  expect(JSON.parse(await curl('/open-apis/authen/v1/user_info'))).toMatchObject({ code: 90_000_401 })
})

test('the health check of the compose file tells whether the gateway answers', async () => {
  const { stage, port } = await setScene()
  const [, text = ''] = /test: (\[.*\])/.exec(block('yaml')) ?? []
  const [, node, flag, script = ''] = JSON.parse(text) as string[]
  expect([node, flag]).toEqual(['node', '-e'])
  const check = () => once(spawn(process.execPath, ['-e', script.replace(':9001', `:${port}`)]), 'close')
  expect((await check())[0]).toBe(1)
  const gateway = start(stage, ['gateway', '--listen', `127.0.0.1:${port}`])
  await gateway.written(/The gateway listens/)
  expect((await check())[0]).toBe(0)
})

testIf(NO_SIGNALS)('the service runs, and what systemd sends ends it as the unit expects', async () => {
  const { stage, port } = await setScene()
  const unit = block('ini')
  const [, line = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? []
  const gateway: Running = start(stage, [...argsOf(line), '--listen', `127.0.0.1:${port}`])
  await gateway.written(/The gateway listens/)
  gateway.child.kill('SIGTERM')
  const [, statuses = ''] = /^SuccessExitStatus=(.*)$/m.exec(unit) ?? []
  expect(statuses.split(' ')).toContain(String((await gateway.end).code))
  expect(PROGRAM).toMatch(/dist\/main\.js$/)
})

test('an MCP client connects with the HTTP entry', async () => {
  const { stage, key, port } = await setScene()
  const entry = JSON.parse(block('json').replace('KEY', key).replace(':9001', `:${port}`)).mcpServers.feishu
  const env = { FEISHU_MCP_URL: `${stage.sandbox.url}/mcp` }
  const gateway = start(stage, ['gateway', '--listen', `127.0.0.1:${port}`], { env })
  await gateway.written(/The gateway listens/)
  const transport = new StreamableHTTPClientTransport(new URL(entry.url), {
    requestInit: { headers: entry.headers },
  })
  const client = new Client({ name: 'test', version: '1.0.0' })
  await client.connect(transport as Parameters<Client['connect']>[0])
  onTestFinished(() => client.close())
  expect((await client.listTools()).tools.length).toBeGreaterThan(5)
})
