// A disk that is full, at every level of fullness: nothing is spent that could not be kept.

import { spawnSync } from 'node:child_process'
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { refreshing, start } from './process.ts'
import { openTheatre, presentationsOf, type Scene, setScene, type Theatre } from './scene.ts'
import { straceProblem } from './strace.ts'
import { buildVariant } from './variant.ts'

const DISK = '/tmp/feishu-token-mcp-disk'

function mountProblem(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a small tmpfs needs root on Linux'
  mkdirSync(DISK, { recursive: true, mode: 0o700 })
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs', DISK])
  if (status === 0) spawnSync('umount', [DISK])
  return status === 0 ? null : `tmpfs cannot be mounted: ${stderr}`
}

const problem = mountProblem()
if (problem) console.warn(`SKIPPED: the full disk. ${problem}`)

const FILLER = join(DISK, 'filler')

/** Leaves so many blocks of the disk free. */
function fill(freeBlocks: number): void {
  const { bfree, bsize } = statfsSync(DISK)
  writeFileSync(FILLER, Buffer.alloc(Math.max(0, bfree - freeBlocks) * bsize))
}

async function settled(scene: Scene, main: string): Promise<void> {
  rmSync(FILLER, { force: true })
  const next = await start(scene, refreshing(main, '--force')).end
  expect(JSON.parse(next.stdout).status, next.stdout).toBe('refreshed')
}

const untraced = straceProblem()
if (untraced) console.warn(`SKIPPED: a disk that cannot flush folders. ${untraced}`)

test.skipIf(untraced)('a disk that cannot flush folders is used all the same', async () => {
  const theatre = await openTheatre()
  const scene = await setScene(theatre)
  const rule = ['-P', join(scene.folder, 'store'), '-e', 'trace=fsync', '-e', 'inject=fsync:error=EINVAL']
  const command = refreshing(await buildVariant('whole'), '--force')
  const { stdout } = await start(scene, ['strace', '-f', '-o', '/dev/null', ...rule, ...command]).end
  expect(JSON.parse(stdout)).toMatchObject({ status: 'refreshed', persisted: true })
  await theatre.close()
})

describe.skipIf(problem)('a disk that is full', () => {
  let theatre: Theatre
  let main: string
  beforeAll(async () => {
    theatre = await openTheatre()
    main = await buildVariant('whole')
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs', DISK])
  })
  afterAll(async () => {
    await theatre.close()
    spawnSync('umount', [DISK])
    rmSync(DISK, { recursive: true, force: true })
  })

  test('before the request spends nothing, whatever room is left', async () => {
    const seen = new Set<string>()
    for (let free = 0; free <= 16; free += 1) {
      const scene = await setScene(theatre, { FEISHU_TOKEN_DIR: join(DISK, 'tokens') })
      fill(free)
      const answer = JSON.parse((await start(scene, refreshing(main, '--force')).end).stdout)
      seen.add(answer.status ?? answer.error.code)
      if (answer.status === undefined) {
        expect(answer.error).toMatchObject({ code: 'store_not_writable', recovery: 'retry' })
        expect(answer.error.message).toMatch(/\/tokens\/.*ENOSPC/)
        expect(presentationsOf(scene)).toBe(0)
      } else expect(answer).toMatchObject({ status: 'refreshed', persisted: true })
      await settled(scene, main)
      rmSync(join(DISK, 'tokens'), { recursive: true })
      scene.close()
    }
    expect(seen).toEqual(new Set(['refreshed', 'store_not_writable']))
  })

  async function fillWhileWaiting(
    program: string,
  ): Promise<{ answer: Record<string, unknown>; scene: Scene }> {
    const scene = await setScene(theatre, { FEISHU_TOKEN_DIR: join(DISK, 'tokens') })
    const held = theatre.sandbox.faults.next({ kind: 'hold', processed: true })
    const run = start(scene, refreshing(program, '--force'))
    await held.reached
    fill(0)
    held.release()
    return { answer: JSON.parse((await run.end).stdout), scene }
  }

  test('that fills up while Feishu answers takes the answer: its room was reserved', async () => {
    const { answer, scene } = await fillWhileWaiting(main)
    expect(answer).toMatchObject({ status: 'refreshed', persisted: true, generation: 2 })
    await settled(scene, main)
    rmSync(join(DISK, 'tokens'), { recursive: true })
    scene.close()
  })

  test('does not take it when no room is reserved: the control', async () => {
    const without = await buildVariant('reserving-room', [
      {
        file: 'src/store/locked-files.ts',
        from: 'this.#reserved ??= reserveFile(this.#files.nextPath, this.#files.path, RESERVED_BYTES)',
        to: 'if (!reserveFile) throw new Error(String(RESERVED_BYTES))',
      },
    ])
    const { answer, scene } = await fillWhileWaiting(without)
    expect(answer).toMatchObject({ status: 'refreshed', persisted: false })
    rmSync(FILLER)
    rmSync(join(DISK, 'tokens'), { recursive: true })
    scene.close()
  })
})
