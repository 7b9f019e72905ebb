// Verifier, challenge and state (RFC 7636).

import { createHash, randomBytes } from 'node:crypto'

/** 256 bits: the entropy RFC 7636 §7.1 recommends for a verifier; 43 characters in base64url. */
const RANDOM_BYTES = 32

/** Creates a code verifier (RFC 7636 §4.1), 43 characters. */
export function createCodeVerifier(): string {
  return randomBytes(RANDOM_BYTES).toString('base64url')
}

/** 160 bits, as RFC 6749 §10.10 recommends for what nobody may guess: it lengthens a link that people copy. */
const STATE_BYTES = 20

/** Creates a `state` (RFC 6749 §10.12), independent of the verifier, 27 characters. */
export function createState(): string {
  return randomBytes(STATE_BYTES).toString('base64url')
}

/** Calculates the S256 code challenge of a verifier (RFC 7636 §4.2). */
export function calculateCodeChallenge(verifier: string): string {
  return createHash('sha256').update(verifier, 'ascii').digest('base64url')
}
