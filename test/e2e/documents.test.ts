// What the documents tell people to type. Each command is typed here, or by the test that is named here, or it needs
// what no test can have; a command of which nothing is known here fails.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, onTestFinished, type TestContext, test } from 'vitest'
import { PROGRAMS, type ProgramName } from '../../src/hand-over/programs.ts'
import { DOCUMENTS, inlineCommands, shellLines, typed } from '../support/document.ts'
import { makeFolder } from '../support/folder.ts'
import { NO_POSIX, skipIf, testIf } from '../support/needs.ts'
import { HANGS_MS } from '../support/patience.ts'
import {
  approve,
  authorize,
  type Environment,
  PROGRAM,
  run,
  type Stage,
  setStage,
  start,
  startServer,
} from '../support/program.ts'

const COMMANDS = [...new Set(DOCUMENTS.flatMap((path) => [...shellLines(path), ...inlineCommands(path)]))]

const HERE = {
  sandbox: /^node scripts\/run\.mjs test\/feishu-sandbox\/serve\.ts /,
  setup: /^printf .* \| node dist\/main\.js setup /,
  openssl: /^openssl /,
  exec: /^feishu-token-mcp exec /,
  pull: /\$\(feishu-token-mcp token\)/,
  vsCode: /^code --add-mcp /,
  profiles: /^feishu-token-mcp (setup|login|profile|refresh) /,
  alias: /^alias feishu-token-mcp=/,
}

/** File that runs it, and what stands there; or null and why nobody does. */
const ELSEWHERE: readonly [pattern: RegExp, file: string | null, what: string][] = [
  [/(^| )npx -y feishu-token-mcp( connect)?$/, null, 'needs the package to be published'],
  [/^npm (publish|view feishu-token-mcp maintainers)$/, null, 'needs the package to be published'],
  [/^(claude -p|codex exec)$/, null, 'needs an account'],
  [/^npm (install --package-lock-only|pkg set .*)$/, null, 'changes the project'],
  [/^claude mcp /, 'test/e2e/claude-code.long.test.ts', 'claude mcp list'],
  [/^gemini mcp /, 'test/e2e/gemini-cli.long.test.ts', 'gemini mcp list'],
  [/^codex mcp /, 'test/e2e/codex-cli.long.test.ts', 'codex mcp list'],
  [/^feishu-token-mcp gateway( key (new|list|remove)( \w+)?)?$/, 'test/e2e/gateway.test.ts', "'gateway'"],
  [/^feishu-token-mcp timer install$/, 'test/e2e/timer.test.ts', "timer('install')"],
  [/^docker compose /, null, 'needs Docker'],
  [/^systemctl --user enable /, null, 'needs a running systemd'],
  [/^npm ci$/, '.ci/run', 'npm ci'],
  [/^npm ci --os=win32 --cpu=x64$/, null, 'is for Windows'],
  [/^npm run check$/, '.ci/run', 'npm run check'],
  [/^npm run build$/, 'package.json', '&& npm run build &&'],
  [/^(npm ci && )?npm test$/, '.ci/run', 'npm test'],
  [/^npm ci && npm run (build|demo)$/, '.ci/run', 'npm run demo -- --auto'],
  [
    /^npm ci && npm run build && node dist\/main\.js setup$/,
    'test/e2e/newcomer.test.ts',
    'npm ci && npm run build',
  ],
  [/^npm run demo -- --auto$/, '.ci/run', 'npm run demo -- --auto'],
  [/^npm run test:(all|faults)$/, '.ci/run', 'npm run test:all'],
  [/^npm run (test:soak|test:mutation|bench(:\w+)?)( -- .*)?$/, null, 'takes long'],
  [/^node -e 0$/, null, 'does nothing'],
  [/^npx mcp-remote URL /, null, 'is what connect replaces'],
  [/^git pull$/, null, 'changes the project'],
  [/^npm run docs$/, 'test/docs/samples.test.ts', './samples.ts'],
  [/^npx tsc$/, 'package.json', '"check": "tsc &&'],
  [/^npx vitest run test\/delivery test\/cli/, '.ci/run', 'npm test'],
  [
    /^npx vitest run test\/[\w./-]+\.test\.ts( -t '\w+')?$/,
    'test/e2e/documents.long.test.ts',
    'npx vitest run',
  ],
  [/^node scripts\/icon\.mjs$/, 'test/packaging/icon.test.ts', 'scripts/icon.mjs'],
  [/^npm run mcpb$/, 'test/packaging/bundle.long.test.ts', 'scripts/mcpb.mjs'],
  [/^npm run package$/, 'test/packaging/build.long.test.ts', "'package'"],
  [/^node .*main\.js setup$/, 'test/e2e/setup-dialogue.test.ts', "['setup']"],
  [/^node .*main\.js setup --create-app$/, 'test/e2e/setup-create-app.test.ts', "'--create-app'"],
  [/^node .*main\.js setup --adopt$/, 'test/e2e/setup-adopt.test.ts', "'--adopt'"],
  [/^node .*main\.js login$/, 'test/e2e/command-line.test.ts', "'login'"],
  [/^node .*main\.js login --device$/, 'test/e2e/device.test.ts', "'--device'"],
  [/^node .*main\.js logout$/, 'test/e2e/command-line.test.ts', "'logout'"],
  [/^node .*main\.js import token\.json$/, 'test/e2e/import.test.ts', "'import'"],
  [/^node .*main\.js timer remove$/, 'test/e2e/timer.test.ts', "json('remove')"],
  [/^node .*main\.js doctor$/, 'test/e2e/doctor.test.ts', "'doctor'"],
  [/^node \/path\/to\/feishu-token-mcp\/dist\/main\.js$/, 'test/docs/tools.test.ts', 'mcp.json.example'],
]

function commands(kind: keyof typeof HERE): string[] {
  return COMMANDS.filter((command) => HERE[kind].test(command))
}

async function type(
  line: string,
  options: { cwd?: string; env?: Environment; shell?: string } = {},
): Promise<string> {
  const { shell = '/bin/sh', ...rest } = options
  return (await promisify(execFile)(shell, ['-c', typed(line)], { timeout: HANGS_MS, ...rest })).stdout
}

/** A stage with a folder on the PATH, in which `feishu-token-mcp` is this program. */
async function setShell(): Promise<{ stage: Stage; bin: string; env: Environment }> {
  const stage = await setStage()
  const bin = makeFolder()
  symlinkSync(process.execPath, join(bin, 'node'))
  symlinkSync(PROGRAM, join(bin, 'feishu-token-mcp'))
  return { stage, bin, env: { ...stage.env, PATH: `${bin}:${process.env.PATH}` } }
}

test('of every command it is known who runs it', () => {
  expect(COMMANDS.length).toBeGreaterThan(30)
  const known = [...Object.values(HERE), ...ELSEWHERE.map(([pattern]) => pattern)]
  expect(COMMANDS.filter((command) => !known.some((pattern) => pattern.test(command)))).toEqual([])
})

test('whoever is said to run a command names it, and no command is named in vain', () => {
  for (const [pattern, file, what] of ELSEWHERE) {
    expect(
      COMMANDS.some((command) => pattern.test(command)),
      String(pattern),
    ).toBe(true)
    if (file !== null) expect(readFileSync(file, 'utf8'), file).toContain(what)
  }
})

test.for(commands('sandbox'))('`%s` tells where the sandbox is', async (line, context) => {
  skipIf(NO_POSIX, context)
  const child = spawn('/bin/sh', ['-c', `exec ${typed(line)}`])
  onTestFinished(() => void child.kill('SIGKILL'))
  const [text] = await once(child.stdout, 'data')
  const { url, appId, appSecret } = JSON.parse(String(text))
  expect([appId, appSecret]).toEqual([expect.stringMatching(/^cli_/), expect.any(String)])
  expect((await fetch(url)).status).toBeGreaterThan(0)
  child.stdin.end()
  await once(child, 'close')
})

test.for(commands('setup'))('`%s` keeps the credentials', async (line, context) => {
  skipIf(NO_POSIX, context)
  const { stage, env } = await setShell()
  const { appId, appSecret } = stage.sandbox.app
  const { FEISHU_APP_ID: _, FEISHU_APP_SECRET: __, ...bare } = env
  await type(line.replace('cli_your_app_id', appId), { env: { ...bare, SECRET: appSecret } })
  const status = JSON.parse(
    (await run(stage, ['status', '--json'], { env: { FEISHU_APP_ID: '', FEISHU_APP_SECRET: '' } })).stdout,
  )
  expect(status).toMatchObject({ app_id: appId, status: 'not_authorized' })
})

test.for(commands('openssl'))('`%s` is understood by openssl', async (line, context) => {
  skipIf(NO_POSIX, context)
  const folder = makeFolder()
  await type('openssl version').catch(() => context.skip('openssl is not installed'))
  const printed = await type(line, { cwd: folder })
  if (line.includes(' rand ')) expect(Buffer.from(printed, 'base64')).toHaveLength(32)
  for (const [, file = ''] of line.matchAll(/-(?:out|keyout) (\S+)/g))
    expect(existsSync(join(folder, file))).toBe(true)
})

test.for(commands('pull'))('`%s` hands a valid token on', async (line, context) => {
  skipIf(NO_POSIX, context)
  const { stage, bin, env } = await setShell()
  const server = await startServer(stage)
  await authorize(stage, server)
  const token = (await run(stage, ['token'])).stdout.trim()
  if (line.startsWith('curl ')) return pullWithCurl(context, line, stage, env)
  const [, variable = '', program] = /^(\w+)=\$\([^)]*\) (?:([\w-]+) …|\|\| exit)$/.exec(line) ?? []
  // A stand-in for a program that is not ours: it says what it was given.
  if (program !== undefined) {
    writeFileSync(join(bin, program), `#!/bin/sh\nprintf %s "$${variable}"\n`)
    chmodSync(join(bin, program), 0o755)
  }
  const typedLine = program === undefined ? `${line}; printf %s "$${variable}"` : line.replace(' …', '')
  expect((await type(typedLine, { env })) === token).toBe(true)
})

test.for(commands('exec'))('`%s` starts the program with what it reads', async (line, context) => {
  skipIf(NO_POSIX, context)
  const { stage, bin, env } = await setShell()
  const server = await startServer(stage)
  await authorize(stage, server)
  // A stand-in for a program that is not ours: it says what it was given.
  const [, program = ''] = / -- (\S+)/.exec(line) ?? []
  writeFileSync(join(bin, program), `#!${process.execPath}\nconsole.log(JSON.stringify(process.env))\n`)
  chmodSync(join(bin, program), 0o755)
  const given = JSON.parse(await type(line.replace(' …', ''), { env }))
  const [, name] = / --for (\S+)/.exec(line) ?? []
  const preset = name === undefined ? {} : PROGRAMS[name as ProgramName].variables
  const own = [...line.matchAll(/ --env '(\w+)=/g)].map(([, variable = '']) => variable)
  const names = [...Object.keys(preset), ...own]
  expect(names.length).toBeGreaterThan(0)
  for (const variable of names) expect(given[variable], variable).toMatch(/^[^{}]+$/)
})

async function pullWithCurl(
  context: TestContext,
  line: string,
  stage: Stage,
  env: Environment,
): Promise<void> {
  await type('curl --version && bash --version').catch(() => context.skip('curl or bash is not installed'))
  const answer = await type(line.replace('https://open.feishu.cn', stage.sandbox.url), { env, shell: 'bash' })
  expect(JSON.parse(answer)).toMatchObject({ code: 0, data: { open_id: stage.sandbox.user.openId } })
}

testIf(NO_POSIX)('the line for cron renews what is due', async () => {
  const [line = ''] = /^\d+ \d+ \* \* \* .*$/m.exec(readFileSync('docs/commands.md', 'utf8')) ?? []
  // A token whose whole life lies inside the margin is always due.
  const stage = await setStage({ knobs: { accessTokenLifetimeMs: 200_000 } })
  const server = await startServer(stage)
  await authorize(stage, server)
  await server.close()
  const command = line.replace(/^(\S+ ){5}/, '').replace('/usr/bin/node', process.execPath)
  await type(command, { env: stage.env })
  const { generation } = JSON.parse((await run(stage, ['status', '--json'])).stdout)
  expect(generation).toBe(2)
})

testIf(NO_POSIX)('the commands on profiles do what they say, one after the other as they stand', async () => {
  const { stage, env } = await setShell()
  const { appId, appSecret } = stage.sandbox.app
  for (const line of commands('profiles')) {
    const [command = ''] = line.split(/ +#/)
    if (command.includes(' login ')) {
      const login = start(stage, [...command.split(' ').slice(1), '--no-browser'])
      await approve(stage, (await login.written(/https?:\/\/\S+\/authorize\?\S+/))[0])
      expect((await login.end).code).toBe(0)
    } else if (command.includes(' setup ')) {
      const asScript = `printf '%s\\n' "$SECRET" | ${command} --app-id ${appId} --app-secret-stdin`
      await type(asScript, { env: { ...env, SECRET: appSecret } })
    } else {
      await type(command.includes(' remove ') ? `${command} --force` : command, { env })
    }
  }
  const { profiles } = JSON.parse((await run(stage, ['profile', 'list', '--json'])).stdout)
  expect(profiles.map(({ profile }: { profile: string }) => profile)).toEqual(['default'])
})

test.for(commands('vsCode'))('`%s` hands VS Code one JSON object', async (line, context) => {
  skipIf(NO_POSIX, context)
  const bin = makeFolder()
  writeFileSync(join(bin, 'code'), '#!/bin/sh\nprintf %s "$2"\n')
  chmodSync(join(bin, 'code'), 0o755)
  const entry = JSON.parse(await type(line, { env: { PATH: `${bin}:/usr/bin:/bin` } }))
  expect(entry).toMatchObject({ name: 'feishu', command: expect.stringMatching(/^(node|npx)$/) })
})

test.for(commands('alias'))('after `%s` the shell knows the name', async (line, context) => {
  skipIf(NO_POSIX, context)
  const { version } = JSON.parse(readFileSync('package.json', 'utf8'))
  // An alias holds from the next line on.
  expect(await type(`${line}\nfeishu-token-mcp --version`)).toContain(version)
})
