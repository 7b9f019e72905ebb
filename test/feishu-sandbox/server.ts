import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import {
  handleSampleApi,
  handleTenantToken,
  handleUserInfo,
  SAMPLE_APIS,
  TENANT_TOKEN_PATH,
  USER_INFO_PATH,
} from './api.ts'
import { AUTHORIZE_PATH, handleAuthorize, handleConsent } from './authorize.ts'
import { DEVICE_AUTHORIZATION_PATH, DEVICE_VERIFY_PATH, handleDeviceAuthorization } from './device.ts'
import { handleDeviceDecision, handleDevicePage } from './device-page.ts'
import type { FaultQueue, FaultTarget, MetFault } from './faults.ts'
import { type RequestRecord, recordPresentation, TOKEN_V2_PATH, TOKEN_V3_PATH } from './ledger.ts'
import { handleMcp, MCP_PATH, refuseMethod } from './mcp.ts'
import { misbehave, resetConnection, send } from './misbehave.ts'
import { CLI_PAGE_PATH, handleRegistration, LAUNCHER_PATH, REGISTRATION_PATH } from './registration.ts'
import { handleRevoke, REVOKE_PATH } from './revoke.ts'
import { now, type State } from './state.ts'
import { handleToken } from './token.ts'
import { handleTransfer, TRANSFER_PREFIX } from './transfer.ts'
import { type Answer, type Call, json, newLogId, notFound, parseFields } from './wire.ts'

type Route = { endpoint: Exclude<FaultTarget, 'any'>; handle: (call: Call) => Answer }

const ROUTES: Readonly<Record<string, Route>> = {
  [`GET ${AUTHORIZE_PATH}`]: { endpoint: 'page', handle: handleAuthorize },
  [`POST ${AUTHORIZE_PATH}`]: { endpoint: 'page', handle: handleConsent },
  [`POST ${TOKEN_V2_PATH}`]: { endpoint: 'token', handle: handleToken },
  [`POST ${TOKEN_V3_PATH}`]: { endpoint: 'token', handle: handleToken },
  [`POST ${REVOKE_PATH}`]: { endpoint: 'revoke', handle: handleRevoke },
  [`POST ${DEVICE_AUTHORIZATION_PATH}`]: {
    endpoint: 'device_authorization',
    handle: handleDeviceAuthorization,
  },
  [`POST ${REGISTRATION_PATH}`]: { endpoint: 'registration', handle: handleRegistration },
  [`GET ${USER_INFO_PATH}`]: { endpoint: 'user_info', handle: handleUserInfo },
  [`POST ${TENANT_TOKEN_PATH}`]: { endpoint: 'api', handle: handleTenantToken },
  [`POST ${MCP_PATH}`]: { endpoint: 'mcp', handle: handleMcp },
  [`GET ${MCP_PATH}`]: { endpoint: 'mcp', handle: refuseMethod },
  [`DELETE ${MCP_PATH}`]: { endpoint: 'mcp', handle: refuseMethod },
  ...Object.fromEntries(
    [DEVICE_VERIFY_PATH, LAUNCHER_PATH, CLI_PAGE_PATH].flatMap((path): [string, Route][] => [
      [`GET ${path}`, { endpoint: 'page', handle: handleDevicePage }],
      [`POST ${path}`, { endpoint: 'page', handle: handleDeviceDecision }],
    ]),
  ),
}

/** Far above any request of a token client; uploads go their own way. */
const BODY_LIMIT_BYTES = 16 << 20

function findRoute(method: string, path: string): Route | null {
  const route = ROUTES[`${method} ${path}`]
  if (route) return route
  const api = SAMPLE_APIS.find((sample) => sample.method === method && sample.path.test(path))
  return api ? { endpoint: 'api', handle: (call) => handleSampleApi(call, api) } : null
}

/** The whole body, or `null` if the client left or sent too much. */
async function readBody(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of request) {
      chunks.push(chunk)
      length += chunk.length
      if (length > BODY_LIMIT_BYTES) return null
    }
  } catch {
    return null
  }
  return Buffer.concat(chunks).toString()
}

function record(state: State, call: Call, request: IncomingMessage, response: ServerResponse): RequestRecord {
  const startedMs = performance.now()
  const entry: RequestRecord = {
    method: call.method,
    path: call.path,
    status: null,
    at: call.now,
    durationMs: null,
    headerNames: Object.keys(request.headers),
    logId: call.logId,
    fault: null,
  }
  state.requests.push(entry)
  response.once('finish', () => {
    entry.status = response.statusCode
    entry.durationMs = performance.now() - startedMs
    if (call.presentation && entry.fault !== 'cut') call.presentation.answered = true
  })
  return entry
}

function createCall(state: State, request: IncomingMessage): Call {
  const at = now(state)
  const [path = '/', ...query] = (request.url ?? '/').split('?')
  return {
    state,
    method: request.method ?? 'GET',
    path,
    query: new URLSearchParams(query.join('?')),
    headers: request.headers,
    body: '',
    fields: null,
    now: at,
    logId: newLogId(at),
    presentation: null,
  }
}

async function answerRead(
  call: Call,
  route: Route,
  response: ServerResponse,
  met: MetFault | null,
): Promise<void> {
  call.fields = parseFields(call.headers['content-type'], call.body)
  if (route.endpoint === 'token') call.presentation = recordPresentation(call)
  if (met && call.presentation) call.presentation.fault = met.fault.kind
  const process = (): Answer => {
    call.now = now(call.state) // the clock may have moved since the request came in
    return route.handle(call)
  }
  return met ? misbehave({ call, process, response }, met) : send(response, process())
}

/** Answers everything that Feishu would; the injected faults come in between. */
export function createListener(state: State, faults: FaultQueue): RequestListener {
  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const call = createCall(state, request)
    const entry = record(state, call, request, response)
    response.setHeader('x-tt-logid', call.logId)
    response.setHeader('date', new Date(call.now + state.knobs.dateOffsetMs).toUTCString())
    const isTransfer = call.path.startsWith(TRANSFER_PREFIX)
    const route = isTransfer ? null : findRoute(call.method, call.path)
    if (!route && !isTransfer) return send(response, notFound())
    const met = faults.take(route?.endpoint ?? 'api')
    if (met) entry.fault = met.fault.kind
    if (met?.fault.kind === 'reset' && met.fault.when === 'before_read') {
      resetConnection(request.socket)
      met.meet()
      return
    }
    if (state.knobs.latencyMs > 0) await delay(state.knobs.latencyMs)
    if (!route) {
      if (!met) return handleTransfer(call, request, response)
      return misbehave({ call, process: () => json(200, { code: 0, msg: 'success' }), response }, met)
    }
    const body = await readBody(request)
    if (body === null) {
      request.socket.destroy()
      return
    }
    call.body = body
    return answerRead(call, route, response, met)
  }

  return (request, response) => {
    // A client that goes away in the middle of a stream is its own business.
    answer(request, response).catch(() => response.destroy())
  }
}
