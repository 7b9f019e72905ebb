import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished } from 'vitest'
import { type InJson, inJson } from '../../src/answers.ts'
import {
  type DeliverableToken,
  type Delivery,
  type DeliveryOptions,
  deliverToken,
} from '../../src/delivery/deliver.ts'
import { parseTargets } from '../../src/delivery/targets.ts'
import type { CodedError } from '../../src/errors.ts'
import type { Machine } from '../../src/machine/system.ts'
import { NOW } from './token.ts'

/** Every kind of target, from what the program answers to one that it does not know. */
export function knownKinds(): string[] {
  try {
    parseTargets('nobody:knows', { platform: 'linux', home: '/home/x', environment: {} })
  } catch (error) {
    const { message } = error as CodedError
    return [...message.matchAll(/([a-z-]+):[A-Z]/g)].map(([, kind = '']) => kind)
  }
  throw new Error('a target that nobody knows was taken')
}

/** The same for those that are clients. */
export function clientKinds(): string[] {
  return knownKinds().filter((kind) => !['mcp', 'dotenv', 'token-json', 'file'].includes(kind))
}

/** The text of a file in test/fixtures/delivery. */
export function fixture(name: string): string {
  return readFileSync(fileURLToPath(new URL(`../fixtures/delivery/${name}`, import.meta.url)), 'utf8')
}

export type Home = {
  path: string
  memoryDir: string
  machine: Machine
  /** Writes a file below the home directory, and its folders; returns its path. */
  put: (file: string, data: string | Buffer) => string
  read: (file: string) => string
  deliver: (
    setting: string,
    token: DeliverableToken,
    options?: Partial<DeliveryOptions>,
  ) => Promise<InJson<Delivery>[]>
}

/** A home directory of its own for one test, removed when the test is over. */
export function makeHome(): Home {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'feishu-delivery-')))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  const memoryDir = join(path, '.feishu-token-mcp', 'deliveries')
  const machine: Machine = { platform: 'linux', home: path, environment: {} }
  return {
    path,
    memoryDir,
    machine,
    put(file, data) {
      mkdirSync(dirname(join(path, file)), { recursive: true })
      writeFileSync(join(path, file), data)
      return join(path, file)
    },
    read: (file) => readFileSync(join(path, file), 'utf8'),
    deliver: async (setting, token, options = {}) => {
      const deliveries = await deliverToken(parseTargets(setting, machine), token, {
        memoryDir,
        now: NOW,
        force: false,
        dryRun: false,
        ...options,
      })
      return inJson(deliveries)
    },
  }
}

/** Delivers to the one target of a setting. */
export async function deliverOne(
  home: Home,
  ...args: Parameters<Home['deliver']>
): Promise<InJson<Delivery>> {
  const deliveries = await home.deliver(...args)
  expect(deliveries).toHaveLength(1)
  return deliveries[0] as InJson<Delivery>
}
