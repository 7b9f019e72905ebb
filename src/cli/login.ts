// `login`: authorizes and waits for the end.

import { startAnswer } from '../authorize/answer.ts'
import { type StartOptions, type StartResult, startAuthorization } from '../authorize/authorize.ts'
import { authorizationEnd } from '../authorize/pending.ts'
import { laidOut } from '../chinese/fold.ts'
import { CodedError } from '../errors.ts'
import { localTime } from '../moment.ts'
import { pastedState } from '../oauth/pasted-address.ts'
import { splitScopes } from '../oauth/scope-presets.ts'
import { Secret } from '../secret.ts'
import { call, say } from '../sentence.ts'
import { tokenStatus } from '../status/status.ts'
import { type Cli, type Command, type Invocation, print } from './io.ts'
import { statusText } from './status.ts'
import { createDialogue } from './terminal.ts'
import { expectOperands } from './usage.ts'
import { showWaiting } from './waiting.ts'

/** Authorizes and waits for the end. */
export const login: Command = (invocation) => loginTelling(invocation, {})

/** The same; `--json` has `extra` beside the status. */
export async function loginTelling(invocation: Invocation, extra: object): Promise<number> {
  const { cli, deps, profile, options, operands } = invocation
  expectOperands(cli, operands, [])
  const start: StartOptions = {
    profile,
    scopes: options.scope === undefined ? null : splitScopes(options.scope),
    method: options.device ? 'device' : 'browser',
    openBrowser: options['callback-url-stdin'] || options['no-browser'] ? false : null,
    callbackUrl: null,
    cancel: false,
  }
  const started = await startAuthorization(deps, start)
  if (started.status === 'pending') {
    const lacking = (start.scopes ?? []).filter((scope) => !started.pending?.scopes.includes(scope))
    if (started.joined && lacking.length > 0) {
      cli.stderr(
        say`A login that was begun before is waiting, and does not ask for ${lacking.join(' ')}: end it first to ask for that.\n`,
      )
    }
    if (started.pending?.device) await showCode(invocation, started)
    else showLink(invocation, started)
    await awaitLogin(invocation, start, started)
  }
  const status = await tokenStatus(deps, { profile, verify: false, waitSeconds: 0 })
  print(cli, options.json, { ...status, ...extra }, statusText(status))
  return 0
}

/** Whether the address comes on stdin: as told, or because the person's browser is elsewhere and someone can type here. */
function expectsPaste({ cli, deps, options }: Invocation): boolean {
  if (options['callback-url-stdin']) return true
  return deps.remote && cli.stdin.isTTY === true && !options.device
}

/** Shows the link as a picture; `false`: it is wider than the terminal, where nothing could read it. */
export async function showPicture(cli: Pick<Cli, 'stderr' | 'width'>, link: string): Promise<boolean> {
  const { renderUnicodeCompact } = await import('uqr')
  const picture = renderUnicodeCompact(link)
  if (cli.width.stderr !== null && picture.indexOf('\n') > cli.width.stderr) return false
  cli.stderr(laidOut(say`${picture}\n\n`))
  return true
}

/** The code for another device, with a picture of the link. */
async function showCode({ cli, deps }: Invocation, started: StartResult): Promise<void> {
  const { authorization_url, user_code } = startAnswer(deps, started)
  await showPicture(cli, authorization_url ?? '')
  cli.stderr(
    say`Open this page on any device:\n\n${authorization_url ?? ''}\n\nIt must show this code: ${user_code ?? ''}\n\n`,
  )
  cli.stderr(say`Approve only if you asked for this login yourself.\n`)
}

function showLink(invocation: Invocation, started: StartResult): void {
  const { cli, deps } = invocation
  const answer = startAnswer(deps, started)
  const ask = answer.browser_opened
    ? say`The page was opened in the browser. If you do not see it, open this page and approve:`
    : started.browserProblem
      ? say`Open this page and approve (${started.browserProblem}):`
      : say`Open this page and approve:`
  cli.stderr(say`${ask}\n\n${answer.authorization_url ?? ''}\n\n`)
  if (!expectsPaste(invocation)) return
  cli.stderr(
    say`The last page will not load: it leads to this machine, while your browser is on another. That is expected.\n`,
  )
  cli.stderr(
    say`Copy its whole address from the browser and paste it here by ${localTime(answer.expires_at ?? '').slice(-5)}:\n`,
  )
}

/** Waits for the listener, for a pasted address, and for Ctrl-C: whatever comes first. */
async function awaitLogin(invocation: Invocation, start: StartOptions, started: StartResult): Promise<void> {
  const { cli, deps, profile } = invocation
  const end = authorizationEnd(deps, profile)
  const pastes = expectsPaste(invocation)
  const waited = new AbortController()
  const shown = pastes
    ? undefined
    : showWaiting(cli, deps.clock, startAnswer(deps, started).expires_at ?? '', waited.signal)
  const pasted = pastes ? [takeAddress(invocation, start)] : []
  try {
    await Promise.race([end, aborted(deps.closing), ...pasted])
  } finally {
    waited.abort()
    await shown
  }
  if (deps.closing.aborted) await deps.underWay.see(leave(invocation, start, started))
  const { failure } = await authorizationEnd(deps, profile)
  if (failure) throw new CodedError(failure.code, failure.message, failure)
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve())
  })
}

/** The address and a sentence around it. */
const MAX_PASTE = 8_000

/** Ends the authorization with the address on stdin. At a terminal, one that does not fit is asked for again. */
async function takeAddress(invocation: Invocation, start: StartOptions): Promise<'ended'> {
  const { cli } = invocation
  if (!cli.stdin.isTTY) {
    await takeLines(invocation, start)
    return 'ended'
  }
  const dialogue = createDialogue(cli)
  let text = ''
  for (;;) {
    // Whoever ends the input, or only presses Enter, leaves the waiting to the listener.
    const line = await dialogue.ask(say``).catch(() => new Promise<never>(() => undefined))
    // A paste that a chat has wrapped comes as several lines.
    text = line === '' ? '' : `${text}\n${line}`.slice(-MAX_PASTE)
    if (text !== '' && (await isTaken(invocation, start, text))) return 'ended'
  }
}

/** An address that a chat has wrapped comes as several lines: until its state is there, more may come. */
async function takeLines(invocation: Invocation, start: StartOptions): Promise<void> {
  const { stdin } = invocation.cli
  stdin.setEncoding('utf8')
  let text = ''
  for await (const chunk of stdin) {
    text += String(chunk)
    const lines = text.slice(0, text.lastIndexOf('\n') + 1).trim()
    if (pastedState(lines) !== '') return endWithAddress(invocation, start, lines)
    if (text.length > MAX_PASTE) break
  }
  await endWithAddress(invocation, start, text.trim() || null)
}

async function isTaken(invocation: Invocation, start: StartOptions, address: string): Promise<boolean> {
  try {
    await endWithAddress(invocation, start, address)
    return true
  } catch (error) {
    if (!(error instanceof CodedError) || error.code !== 'state_mismatch') throw error
    invocation.cli.stderr(say`${error.said} ${error.step}\n`)
    return false
  }
}

/** Ctrl-C ends the authorization that this command began; one that it joined belongs to someone else. */
async function leave({ deps }: Invocation, start: StartOptions, started: StartResult): Promise<void> {
  if (started.joined) {
    throw new CodedError('authorization_expired', say`Stopped waiting; the authorization is still pending.`, {
      nextStep: say`${call('token_status')} to see how it ends.`,
    })
  }
  await startAuthorization(deps, { ...start, cancel: true })
}

async function endWithAddress(
  { deps }: Invocation,
  start: StartOptions,
  address: string | null,
): Promise<void> {
  if (!address) {
    throw new CodedError('config_invalid', say`No address came on stdin.`, {
      nextStep: say`Give the address that the browser ended on.`,
    })
  }
  await startAuthorization(deps, { ...start, callbackUrl: new Secret(address) })
}
