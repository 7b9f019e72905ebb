import { DEVICE_VERIFY_PATH } from './device.ts'
import type { SandboxUser } from './directory.ts'
import { exchange, type HttpResult } from './http-client.ts'

/** The authorize page showed an error instead of the consent. */
export class PageError extends Error {
  readonly feishuCode: number | null
  readonly logId: string | null

  constructor(feishuCode: number | null, logId: string | null) {
    super(`The page shows error ${feishuCode ?? '(none)'}.`)
    this.name = 'PageError'
    this.feishuCode = feishuCode
    this.logId = logId
  }
}

type Decision = {
  /** Who decides; the first person the page offers where nothing is said. */
  user?: SandboxUser
  /** The scopes left ticked; all where nothing is said. */
  grant?: string[]
}

/** What a person does in the browser, over real HTTP. */
export type Person = {
  /** Approves and returns the address of the redirect, which is not followed. */
  approve(authorizationUrl: string, decision?: Decision): Promise<string>
  deny(authorizationUrl: string): Promise<string>
  /** Takes the user code, or the whole address behind a QR code; also for the registration of an app. */
  approveDevice(userCode: string, decision?: Decision): Promise<void>
  denyDevice(userCode: string): Promise<void>
}

function find(text: string, pattern: RegExp): string | null {
  return pattern.exec(text)?.[1] ?? null
}

function pageError(body: string): PageError {
  const code = find(body, /Error Code: (\d+)/)
  return new PageError(code === null ? null : Number(code), find(body, /id="log-id">(\w+)</))
}

function submit(
  pageUrl: string,
  page: string,
  choice: 'approve' | 'deny',
  decision: Decision,
): Promise<HttpResult> {
  const action = find(page, /<form method="post" action="([^"]+)"/)
  const ticket = find(page, /name="ticket" value="([^"]+)"/)
  if (!action || !ticket) throw pageError(page)
  const shown = [...page.matchAll(/name="scope" value="([^"]+)"/g)].map((match) => match[1] ?? '')
  const form = new URLSearchParams({ ticket, decision: choice })
  form.set('user', decision.user?.openId ?? find(page, /<option value="([^"]+)"/) ?? '')
  for (const scope of decision.grant ?? shown) form.append('scope', scope)
  return exchange(new URL(action, pageUrl).href, {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: form.toString(),
  })
}

async function decide(url: string, choice: 'approve' | 'deny', decision: Decision = {}): Promise<HttpResult> {
  const page = await exchange(url)
  return page.headers.location ? page : submit(url, page.body, choice, decision)
}

function locationOf(result: HttpResult): string {
  if (!result.headers.location) throw pageError(result.body)
  return result.headers.location
}

/** A person in front of the sandbox at this address. */
export function createPerson(url: string): Person {
  function deviceUrl(userCode: string): string {
    if (/^https?:/.test(userCode)) return userCode
    return `${url}${DEVICE_VERIFY_PATH}?user_code=${encodeURIComponent(userCode)}`
  }

  async function decideDevice(
    userCode: string,
    choice: 'approve' | 'deny',
    decision?: Decision,
  ): Promise<void> {
    const result = await decide(deviceUrl(userCode), choice, decision)
    if (result.body.includes('Error Code: ')) throw pageError(result.body)
  }

  return {
    approve: async (authorizationUrl, decision) =>
      locationOf(await decide(authorizationUrl, 'approve', decision)),
    deny: async (authorizationUrl) => locationOf(await decide(authorizationUrl, 'deny')),
    approveDevice: (userCode, decision) => decideDevice(userCode, 'approve', decision),
    denyDevice: (userCode) => decideDevice(userCode, 'deny'),
  }
}
