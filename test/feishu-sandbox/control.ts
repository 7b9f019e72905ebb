import type { RequestListener } from 'node:http'
import type { SandboxApp, SandboxUser } from './directory.ts'
import type { Fault, FaultQueue } from './faults.ts'
import type { Knobs } from './knobs.ts'
import type { Revocation } from './revoke.ts'
import type { IssueOptions, SandboxState } from './sandbox.ts'
import { now, type State } from './state.ts'

export const CONTROL_PREFIX = '/_sandbox/'

type Controlled = {
  state: State
  faults: FaultQueue
  verbs: SandboxState
  app: SandboxApp
  user: SandboxUser
}

type Verb = (...args: never[]) => unknown

function createVerbTable({ state, faults, verbs, app, user }: Controlled): Record<string, Verb> {
  return {
    describe: () => ({ url: state.origin, brand: state.brand, app, user }),
    now: () => now(state),
    advance: (ms: number) => {
      state.clockOffsetMs += ms
    },
    knobs: (changes: Partial<Knobs> = {}) => Object.assign(state.knobs, changes),
    // JSON has no Infinity: null stands for it.
    fault: (fault: Fault, count: number | null = 1) =>
      faults.next(fault, count ?? Number.POSITIVE_INFINITY).id,
    reached: (id: number) => faults.handle(id)?.reached,
    release: (id: number) => faults.handle(id)?.release(),
    clear: () => faults.clear(),
    ledger: (from = 0) => state.ledger.slice(from),
    requests: (from = 0) => state.requests.slice(from),
    secrets: () => verbs.secrets(),
    inspect: (secret: string) => verbs.inspect(secret),
    issue: (options?: IssueOptions) => verbs.issue(options),
    addApp: (given?: Partial<SandboxApp>) => verbs.addApp(given),
    addUser: (given?: Partial<SandboxUser>) => verbs.addUser(given),
    setApp: (changes: Partial<SandboxApp>, appId?: string) => verbs.setApp(changes, appId),
    setUser: (changes: Partial<SandboxUser>, openId?: string) => verbs.setUser(changes, openId),
    revoke: (what?: Revocation) => verbs.revoke(what),
    resetGrants: () => verbs.resetGrants(),
    loseMcpSessions: () => verbs.loseMcpSessions(),
    documents: () => verbs.documents(),
    mcpRequests: (from = 0) => state.mcpRequests.slice(from),
  }
}

/** `GET` or `POST /_sandbox/VERB`; a POST carries the arguments as a JSON array, the answer is JSON. */
export function createControlListener(controlled: Controlled): RequestListener {
  const table = createVerbTable(controlled)

  async function call(name: string, body: string): Promise<unknown> {
    const verb = Object.hasOwn(table, name) ? table[name] : undefined
    if (!verb) throw new Error(`The sandbox has no verb ${name}.`)
    const args = body === '' ? [] : (JSON.parse(body) as never[])
    return verb(...args)
  }

  return (request, response) => {
    const name = request.url?.slice(CONTROL_PREFIX.length).split('?')[0] ?? ''
    const chunks: Buffer[] = []
    const headers = { 'content-type': 'application/json; charset=utf-8' }
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      call(name, Buffer.concat(chunks).toString()).then(
        (result) => response.writeHead(200, headers).end(JSON.stringify(result ?? null)),
        (error: Error) => response.writeHead(400, headers).end(JSON.stringify({ error: error.message })),
      )
    })
  }
}
