import { readFile, writeFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { authorize, run, setStage, startServer } from '../support/program.ts'
import { age, openStore } from '../support/stored.ts'
import { CURSOR, stageWithTargets } from './deliver-stage.ts'

test('every change of the token set reaches the targets, the access token alone', async () => {
  const { stage, dotenv, json, config } = await stageWithTargets()
  const server = await startServer(stage)
  await authorize(stage, server)
  const first = (await run(stage, ['token'])).stdout.trim()
  expect(await readFile(dotenv, 'utf8')).toBe(`# mine\nFEISHU_TOKEN=${first}\n`)
  expect(await readFile(config, 'utf8')).toBe(CURSOR.replace('"old"', `"${first}"`))

  const refreshed = await server.call('refresh_token', { force: true })
  const second = (await run(stage, ['token'])).stdout.trim()
  expect(second).not.toBe(first)
  expect(refreshed.data.deliveries).toMatchObject([
    { status: 'delivered' },
    { status: 'delivered' },
    { status: 'delivered', restart_required: true },
  ])
  expect(await readFile(dotenv, 'utf8')).toBe(`# mine\nFEISHU_TOKEN=${second}\n`)
  const written = JSON.parse(await readFile(json, 'utf8'))
  expect(written).toMatchObject({ access_token: second, token_type: 'Bearer' })
  expect(Object.keys(written)).not.toContain('refresh_token')
  expect((await server.call('token_status')).data.deliveries).toHaveLength(3)
})

test('a value that somebody changed by hand is left alone until deliver --force replaces it', async () => {
  const { stage, dotenv } = await stageWithTargets()
  const server = await startServer(stage)
  await authorize(stage, server)
  await writeFile(dotenv, 'FEISHU_TOKEN=by-hand\n')
  const refreshed = await server.call('refresh_token', { force: true })
  expect(refreshed.data.status).toBe('refreshed')
  expect(refreshed.data.deliveries).toMatchObject([{ status: 'drift' }, {}, {}])
  expect(refreshed.data.next_step).toMatch(/^Some copies were not written: .* run `[^`]* deliver`\.$/)
  expect(await readFile(dotenv, 'utf8')).toBe('FEISHU_TOKEN=by-hand\n')

  const left = await run(stage, ['deliver', '--json'])
  expect(left.code).toBe(1)
  const [drift] = JSON.parse(left.stdout).deliveries
  expect(drift).toMatchObject({
    status: 'drift',
    detail: expect.stringContaining('deliver --force` replaces it'),
  })
  expect((await run(stage, ['deliver', '--dry-run'])).code).toBe(0)
  expect(await readFile(dotenv, 'utf8')).toBe('FEISHU_TOKEN=by-hand\n')

  const dry = await run(stage, ['deliver', '--dry-run', '--force'])
  expect(dry.code).toBe(0)
  expect(dry.stderr).toMatch(/^dotenv:\S+: would be delivered\.\n--- /)
  for (const secret of stage.sandbox.secrets()) expect(dry.stderr + dry.stdout).not.toContain(secret)
  expect(await readFile(dotenv, 'utf8')).toBe('FEISHU_TOKEN=by-hand\n')

  const forced = await run(stage, ['deliver', '--force', '--json'])
  expect(forced.code).toBe(0)
  expect(JSON.parse(forced.stdout).deliveries).toMatchObject([{ status: 'delivered' }, {}, {}])
  const token = (await run(stage, ['token'])).stdout.trim()
  expect(await readFile(dotenv, 'utf8')).toBe(`FEISHU_TOKEN=${token}\n`)
})

test('a target that cannot be written fails no refresh, and deliver says so by its exit code', async () => {
  const stage = await setStage({ env: { FEISHU_DELIVER_TO: 'mcp:/nonexistent/mcp.json#lark' } })
  const server = await startServer(stage)
  await authorize(stage, server)
  const refreshed = await server.call('refresh_token', { force: true })
  expect(refreshed.data).toMatchObject({
    status: 'refreshed',
    persisted: true,
    deliveries: [{ status: 'refused' }],
  })
  const forced = await run(stage, ['refresh', '--force'])
  expect(forced.code).toBe(0)
  expect(forced.stderr).toMatch(
    /^default: refreshed.*\nmcp:\/nonexistent\/mcp.json#lark: refused\. .*no such file/,
  )
  expect((await run(stage, ['deliver'])).code).toBe(1)
  expect((await run(stage, ['deliver'], { env: { FEISHU_DELIVER_TO: 'nonsense' } })).code).toBe(2)
})

test('a token that is due and cannot be refreshed is delivered while it lives', async () => {
  const { stage, dotenv } = await stageWithTargets()
  const { FEISHU_DELIVER_TO, ...quiet } = stage.env
  const server = await startServer({ ...stage, env: quiet })
  await authorize(stage, server)
  await server.close()
  expect(FEISHU_DELIVER_TO).toContain(dotenv)
  const id = { brand: 'feishu', appId: stage.sandbox.app.appId, profile: 'default' } as const
  await age(openStore(stage.tokenDir), id, 60_000)
  stage.sandbox.faults.next({ kind: 'error', code: 20050 }, Number.POSITIVE_INFINITY)
  const delivered = await run(stage, ['deliver', '--json'])
  expect(delivered.code).toBe(0)
  const token = (await run({ ...stage, env: quiet }, ['token'])).stdout.trim()
  expect(await readFile(dotenv, 'utf8')).toContain(`FEISHU_TOKEN=${token}\n`)
})

test('the token of another profile is never written to this profile’s targets', async () => {
  const { stage, dotenv } = await stageWithTargets()
  const server = await startServer(stage)
  await authorize(stage, server, { profile: 'second' })
  expect((await server.call('refresh_token', { force: true, profile: 'second' })).data.deliveries).toEqual([])
  expect((await run(stage, ['refresh', '--force', '--profile', 'second'])).code).toBe(0)
  expect((await run(stage, ['deliver', '--profile', 'second'])).code).toBe(2)
  expect(await readFile(dotenv, 'utf8')).toBe('# mine\nFEISHU_TOKEN=old\n')
})
