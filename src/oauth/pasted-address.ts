// The address that a person's browser ended on, as it arrives through chats, browsers and terminals: in quotes or brackets,
// in a sentence, cut into lines, without its scheme. Its `state` says which of the things in a text is meant.

import { CodedError } from '../errors.ts'
import { call, clause, type Sentence, say, toolsOnly } from '../sentence.ts'
import { type AuthorizationResponse, readAuthorizationResponse } from './authorization.ts'

/** What the answer to the pending authorization must bear. */
type Expected = {
  redirectUri: string
  state: string
  issuer: string
  /** Whether an address is on this machine: the browser may show it by another name than the redirect URL has. */
  isLoopback: (url: URL) => boolean
}

/** An address and a sentence around it; more is someone's whole screen. */
const MAX_CHARACTERS = 8192
/** What chats and browsers put into addresses, and no one sees. */
const INVISIBLE = /[\u00ad\u200b-\u200f\u2060\ufeff]/g
/** A line break within an address, with the indent or the quotation mark of the next line. */
const LINE_BREAK = /[ \t]*\r?\n[ \t>|│]*/g
/** What an address consists of; quotes, brackets and blanks end it, but for those of an IPv6 address. */
const RUNS = /(?:https?:\/\/\[::1\])?[\w\-.~%+&=/?:#@]+/gi

/** What stands in a text that may be the address: where it leads, empty if it does not say, and its query. */
function findAddresses(text: string): { place: string; query: URLSearchParams }[] {
  let plain = text.replace(INVISIBLE, '').replace(/\\(?=[?&=#])/g, '')
  while (/&(amp|#38|#x26);/i.test(plain)) plain = plain.replace(/&(amp|#38|#x26);/gi, '&')
  const runs = [plain, plain.replace(LINE_BREAK, '')].flatMap((form) => form.match(RUNS) ?? [])
  return [...new Set(runs)].flatMap((run) => {
    const [address = ''] = run.replace(/[.:?]+$/, '').split('#')
    const [, place = '', query = ''] = /([^?]*)\?(.*)/.exec(address) ?? [null, '', address]
    return query.includes('=') ? [{ place, query: new URLSearchParams(query) }] : []
  })
}

function leadsTo(place: string, { redirectUri, isLoopback }: Expected): boolean {
  if (place === '') return true
  const redirect = new URL(redirectUri)
  const whole = place.startsWith('/')
    ? `${redirect.origin}${place}`
    : place.includes('://')
      ? place
      : `${redirect.protocol}//${place}`
  if (!URL.canParse(whole)) return false
  const url = new URL(whole)
  const sameHost = url.hostname === redirect.hostname || [url, redirect].every(isLoopback)
  const samePort = url.port === redirect.port && url.protocol === redirect.protocol
  return sameHost && samePort && url.pathname === redirect.pathname
}

/**
 * Reads the address that a person's browser ended on, with the checks that a request to the listener gets.
 *
 * @throws CodedError `state_mismatch` when the answer to the pending authorization is not in it, with what is missing
 */
export function readPastedAddress(text: string, expected: Expected): AuthorizationResponse {
  if (text.length > MAX_CHARACTERS) throw refused(say`the text is too long`, expected)
  const addresses = findAddresses(text)
  const ours = addresses.filter(({ place }) => leadsTo(place, expected))
  const answers = ours.flatMap(({ query }) => readAuthorizationResponse(query, expected) ?? [])
  const [answer, ...others] = answers
  if (!answer) throw refused(problemOf(addresses, ours, expected), expected)
  // A code is spent by trying it: no one guesses which of two is whole.
  if (others.some((other) => JSON.stringify(other) !== JSON.stringify(answer))) {
    throw refused(say`the text has two different answers, or a line break cuts one`, expected)
  }
  return answer
}

function problemOf(
  addresses: ReturnType<typeof findAddresses>,
  ours: ReturnType<typeof findAddresses>,
  { state }: Expected,
): Sentence {
  const isMeant = ({ query }: { query: URLSearchParams }) => query.getAll('state').includes(state)
  if (ours.some(isMeant)) return say`its code is missing, or is there twice`
  if (addresses.some(isMeant)) return say`it leads elsewhere`
  if (ours.some(({ query }) => query.has('state'))) return say`its state is that of a different link`
  if (ours.some(({ query }) => query.has('code'))) return say`its end with the state is missing`
  return say`there is no such address in the text`
}

function refused(why: Sentence, { redirectUri }: Expected): CodedError {
  const { origin, pathname } = new URL(redirectUri)
  return new CodedError(
    'state_mismatch',
    say`This address does not belong to the pending authorization: ${why}.`,
    {
      nextStep: say`The authorization is still waiting: ${toolsOnly(clause(AGAIN))}paste the whole address that the browser ended on after approving its link (it begins with ${origin}${pathname}?).`,
    },
  )
}

const AGAIN = say`${call('start_authorization')} again (without callback_url it shows the link), or `

/** The `state` in a pasted text, unchecked; empty unless there is exactly one. */
export function pastedState(text: string): string {
  const states = new Set(
    findAddresses(text.slice(0, MAX_CHARACTERS)).flatMap(({ query }) => query.getAll('state')),
  )
  const [state = ''] = states
  return states.size === 1 ? state : ''
}
