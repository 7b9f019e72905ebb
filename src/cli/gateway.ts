// `gateway`: the standing gateway and its keys.

import { once } from 'node:events'
import { isIP } from 'node:net'
import { toTime } from '../answers.ts'
import { resolveApp } from '../app/app.ts'
import { toCodedError } from '../errors.ts'
import { openStandingGateway } from '../hand-over/gateway.ts'
import { listGatewayKeys, newGatewayKey, removeGatewayKey } from '../hand-over/gateway-keys.ts'
import { localTime } from '../moment.ts'
import { profileOption } from '../profile.ts'
import { notAuthorized } from '../refresh/reasons.ts'
import { say } from '../sentence.ts'
import { type Command, type Invocation, print } from './io.ts'
import { expectOperands, usageError } from './usage.ts'

const DEFAULT_LISTEN = '127.0.0.1:9001'

type Listen = { host: string; port: number }

/** The standing gateway, and the keys of the programs that use it. */
export const gateway: Command = async (invocation) => {
  const { cli, operands, options } = invocation
  const [what, action, ...names] = operands
  if (what === undefined) return serve(invocation)
  const mine = options.listen !== undefined || options['allow-network'] === true
  if (what === 'key' && !mine) {
    if (action === 'new') return makeKey(invocation, names)
    if (action === 'list') return listKeys(invocation, names)
    if (action === 'remove') return removeKey(invocation, names)
  }
  throw usageError(
    cli,
    say`gateway takes options alone, or \`key new NAME\`, \`key list\`, \`key remove NAME\``,
  )
}

async function serve({ cli, deps, profile, options }: Invocation): Promise<number> {
  const listen = parseListen(options.listen ?? DEFAULT_LISTEN)
  if (!listen) throw usageError(cli, say`--listen takes HOST:PORT, such as ${DEFAULT_LISTEN}`)
  const anyHost = options['allow-network'] === true
  if (!isLoopback(listen.host) && !anyHost) {
    throw usageError(
      cli,
      say`${listen.host} can be reached from other machines, and anyone with a key acts as you: add --allow-network if you want that`,
    )
  }
  const keys = listGatewayKeys(deps, profile)
  const { address, close } = await openStandingGateway(deps, { profile, listen, anyHost })
  const listening = hostPort(address.address, address.port)
  const wildcard = ['0.0.0.0', '::'].includes(address.address)
  const open_url = `http://${wildcard ? hostPort('127.0.0.1', address.port) : listening}`
  const mcp_url = `${open_url}/mcp`
  if (options.json) cli.stdout(`${JSON.stringify({ listening, open_url, mcp_url })}\n`)
  else cli.stderr(say`The gateway listens on ${listening}: ${open_url}/open-apis/… and ${mcp_url}.\n`)
  if (!isLoopback(listen.host))
    cli.stderr(say`Other machines can reach it, unencrypted: anyone with a key acts as you.\n`)
  if (keys.length === 0)
    cli.stderr(
      say`No program has a key yet: make one with \`${cli.command} gateway key new NAME${profileOption(profile)}\`.\n`,
    )
  await warnWithoutLogin({ cli, deps, profile })
  if (!deps.closing.aborted) await once(deps.closing, 'abort')
  await deps.underWay.see(close())
  return 0
}

/** Nothing is in the way of a start: it answers 401 until there is a login. */
async function warnWithoutLogin({ cli, deps, profile }: Pick<Invocation, 'cli' | 'deps' | 'profile'>) {
  try {
    const app = await resolveApp(deps, profile)
    if ((await deps.store.read(app.id)).tokenSet) return
    const { said } = await notAuthorized(deps, app)
    cli.stderr(say`${said} Its calls fail until someone logs in.\n`)
  } catch (error) {
    cli.stderr(say`${toCodedError(error).said}\n`)
  }
}

/** Host and port of `HOST:PORT`; an IPv6 address stands in brackets. */
function parseListen(text: string): Listen | null {
  const [, host = '', digits = ''] = /^(\[[0-9a-f:.]+\]|[\w.-]+):(\d{1,5})$/i.exec(text) ?? []
  const bare = host.replace(/^\[|\]$/g, '')
  const port = Number(digits)
  if (bare === '' || port > 65_535 || (host !== bare && isIP(bare) !== 6)) return null
  return { host: bare, port }
}

function hostPort(host: string, port: number): string {
  return `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))
}

async function makeKey({ cli, deps, profile, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, ['NAME'])
  const [name = ''] = names
  const key = await newGatewayKey(deps, profile, name)
  cli.stdout(options.json ? `${JSON.stringify({ name, profile, key }, null, 2)}\n` : `${key}\n`)
  cli.stderr(say`This key is shown once: give it to ${name} as \`Authorization: Bearer KEY\`.\n`)
  return 0
}

async function listKeys({ cli, deps, profile, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, [])
  const keys = listGatewayKeys(deps, profile).map(({ name, createdAt }) => {
    return { name, profile, created_at: toTime(createdAt) }
  })
  const shownTime = (time: string) => (cli.width.stdout === null ? time : localTime(time))
  if (options.json) cli.stdout(`${JSON.stringify({ keys }, null, 2)}\n`)
  else if (keys.length === 0) cli.show(say`No program has a key.\n`)
  else cli.stdout(keys.map(({ name, created_at }) => `${name}  ${shownTime(created_at)}\n`).join(''))
  return 0
}

async function removeKey({ cli, deps, profile, options }: Invocation, names: string[]): Promise<number> {
  expectOperands(cli, names, ['NAME'])
  const [name = ''] = names
  await removeGatewayKey(deps, profile, name)
  print(cli, options.json, { status: 'removed', name, profile }, say`${name} has no key any more.\n`)
  return 0
}
