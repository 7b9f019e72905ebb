// Where nothing can be locked, nothing is refreshed: every tool says why, and none says to try again.

import { join, resolve } from 'node:path'
import { expect, test } from 'vitest'
import { authorize, presentations, run, setStage, startServer } from '../support/program.ts'

const NODE_OPTIONS = `--require=${resolve('test/platforms/native-part.cjs')}`
const TOOLS = ['token_status', 'refresh_token', 'start_authorization']

test('a Node that loads no native part is told by every tool, with its path and what to write', async () => {
  const stage = await setStage()
  await authorize(stage, await startServer(stage))
  const server = await startServer(stage, { env: { NODE_OPTIONS } })
  for (const name of TOOLS) {
    const { isError, text } = await server.call(name, name === 'refresh_token' ? { force: true } : {})
    expect([name, isError]).toEqual([name, true])
    expect(text).toContain(`This Node (${process.execPath}) does not load the native file lock`)
    expect(text).toContain('code signature not valid')
    expect(text).toMatch(/`command`.*\[code=config_invalid recovery=fix_config\]$/s)
  }
  expect(presentations(stage)).toBe(0)
  const env = { NODE_OPTIONS }
  expect((await run(stage, ['status'], { env })).code).toBe(2)
  const { checks } = JSON.parse((await run(stage, ['doctor', '--json'], { env })).stdout)
  expect(checks.find(({ name }: { name: string }) => name === 'lock').message).toContain('does not load')
  // What is valid is still handed out.
  expect((await run(stage, ['token'], { env })).code).toBe(0)
})

test.each(['EINVAL', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP', 'ENOLCK'])(
  'a file system whose locks fail with %s is named',
  async (LOCK_ERRNO) => {
    const stage = await setStage()
    const { code, stderr } = await run(stage, ['refresh', '--force'], { env: { NODE_OPTIONS, LOCK_ERRNO } })
    const store = join(stage.tokenDir, 'store')
    expect(stderr).toContain(`The file system of ${store} has no file locks (${LOCK_ERRNO}).`)
    expect(stderr).toContain('code=config_invalid recovery=fix_config')
    expect(code).toBe(2)
  },
)
