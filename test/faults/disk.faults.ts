// Disks that are full, read-only or odd: nothing is spent that could not be kept.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { refreshing, start } from './process.ts'
import { checkAftermath, openTheatre, presentationsOf, type Scene, setScene, type Theatre } from './scene.ts'
import { straceProblem } from './strace.ts'
import { buildVariant, WHOLE } from './variant.ts'

const DISK = mkdtempSync(join(tmpdir(), 'feishu-token-mcp-disk-'))

function mountProblem(): string | null {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'a small tmpfs needs root on Linux'
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

async function settled(scene: Scene): Promise<void> {
  rmSync(FILLER, { force: true })
  const next = await start(scene, refreshing(WHOLE, '--force')).end
  expect(JSON.parse(next.stdout).status, next.stdout).toBe('refreshed')
}

const untraced = straceProblem()
if (untraced) console.warn(`SKIPPED: disks that refuse single calls. ${untraced}`)

/** A refresh with an injection of strace's, everywhere or on one path. */
async function refreshWith(scene: Scene, rule: string, path: string | null, main: string = WHOLE) {
  const only = path === null ? [] : ['-P', path]
  const traced = ['strace', '-f', '-o', '/dev/null', ...only, '-e', `trace=${rule.split(':')[0]}`]
  const command = [...traced, '-e', `inject=${rule}`, ...refreshing(main, '--force')]
  return JSON.parse((await start(scene, command).end).stdout)
}

describe.skipIf(untraced)('a disk that', () => {
  let theatre: Theatre
  let scene: Scene
  let successor: string
  beforeEach(async () => {
    theatre = await openTheatre()
    scene = await setScene(theatre)
    successor = join(scene.folder, 'store', `feishu-${scene.id.appId}-default.json.next`)
  })
  afterEach(() => theatre.close())

  test('cannot flush folders is used all the same', async () => {
    const answer = await refreshWith(scene, 'fsync:error=EINVAL', join(scene.folder, 'store'))
    expect(answer).toMatchObject({ status: 'refreshed', persisted: true })
  })

  const HELD = 'rename:error=EPERM:when=1..3'

  test('lets the record be replaced only at the fourth attempt is waited for', async () => {
    expect(await refreshWith(scene, HELD, successor)).toMatchObject({ status: 'refreshed', persisted: true })
  })

  test('is not waited for without the attempts: the control', async () => {
    const hasty = await buildVariant('attempts-to-rename', [
      {
        file: 'src/machine/rename.ts',
        from: 'if (!isBusy(error) || performance.now() + pauseMs > giveUpAt) throw error',
        to: 'if (isBusy(error) || performance.now() + pauseMs > giveUpAt) throw error',
      },
    ])
    expect(await refreshWith(scene, HELD, successor, hasty)).toMatchObject({ persisted: false })
  })

  test('never lets it be replaced has the answer beside it, and the next process puts it in place', async () => {
    // The first two put the intent in its place.
    const answer = await refreshWith(scene, 'rename:error=EPERM:when=3+', null)
    expect(answer).toMatchObject({ status: 'refreshed', persisted: false })
    const { next, lost } = await checkAftermath(scene, 1)
    expect(next).toMatchObject({ status: 'refreshed_elsewhere', record: { generation: 2 } })
    expect(lost).toBe(false)
    expect(presentationsOf(scene)).toBe(1)
  })
})

describe.skipIf(problem)('a small disk', () => {
  let theatre: Theatre
  beforeAll(async () => {
    theatre = await openTheatre()
    spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs', DISK])
  })
  afterAll(async () => {
    await theatre.close()
    spawnSync('umount', [DISK])
    rmSync(DISK, { recursive: true, force: true })
  })

  test('that is full before the request spends nothing, whatever room is left', async () => {
    const seen = new Set<string>()
    for (let free = 0; free <= 16; free += 1) {
      const scene = await setScene(theatre, { FEISHU_TOKEN_DIR: join(DISK, 'tokens') })
      fill(free)
      const answer = JSON.parse((await start(scene, refreshing(WHOLE, '--force')).end).stdout)
      seen.add(answer.status ?? answer.error.code)
      if (answer.status === undefined) {
        expect(answer.error).toMatchObject({ code: 'store_not_writable', recovery: 'retry' })
        expect(answer.error.message).toMatch(/\/tokens\/.*ENOSPC/)
        expect(presentationsOf(scene)).toBe(0)
      } else expect(answer).toMatchObject({ status: 'refreshed', persisted: true })
      await settled(scene)
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
    const { answer, scene } = await fillWhileWaiting(WHOLE)
    expect(answer).toMatchObject({ status: 'refreshed', persisted: true, generation: 2 })
    await settled(scene)
    rmSync(join(DISK, 'tokens'), { recursive: true })
    scene.close()
  })

  test('does not take it when no room is reserved: the control', async () => {
    const without = await buildVariant('reserving-room', [
      {
        file: 'src/store/files/locked-files.ts',
        from: 'this.#reserved ??= this.#files.reserve()',
        to: 'void this.#files',
      },
    ])
    const { answer, scene } = await fillWhileWaiting(without)
    expect(answer).toMatchObject({ status: 'refreshed', persisted: false })
    rmSync(FILLER)
    rmSync(join(DISK, 'tokens'), { recursive: true })
    scene.close()
  })
  test('that is read-only spends nothing, names the path, and the valid token stays in use', async () => {
    const scene = await setScene(theatre, { FEISHU_TOKEN_DIR: join(DISK, 'tokens') })
    spawnSync('mount', ['-o', 'remount,ro', DISK])
    const answer = JSON.parse((await start(scene, refreshing(WHOLE, '--force')).end).stdout)
    const token = await start(scene, [process.execPath, WHOLE, 'token']).end
    spawnSync('mount', ['-o', 'remount,rw', DISK])
    expect(answer.error).toMatchObject({ code: 'config_invalid', recovery: 'fix_config' })
    expect(answer.error.message).toMatch(/\/tokens\/.*EROFS/)
    expect(presentationsOf(scene)).toBe(0)
    expect(token).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\S+\n$/) })
    await settled(scene)
    rmSync(join(DISK, 'tokens'), { recursive: true })
    scene.close()
  })
})
