// URL-mode elicitation (MCP 2025-11-25): the client shows the link to the person. Clients without a person answer
// `cancel` or `decline` at once, so neither proves a refusal, and `accept` is consent, not completion: the answer carries
// the link in any case, and only the callback decides.

import type { Server } from '@modelcontextprotocol/sdk/server/index.js'
import type { PendingAuthorization } from '../oauth/pending-authorization.ts'
import { type Sentence, say } from '../sentence.ts'

/** A person needs a moment to read a dialog; a client that does not answer must not hold the call. */
const DIALOG_MS = 30_000

const PLEASE = say`Log in at Feishu (Lark) and approve, so that the assistant can act for you there.`

/** Whether the client can show a link to the person. */
export function canShowLink(client: Server): boolean {
  return client.getClientCapabilities()?.elicitation?.url !== undefined
}

/**
 * Asks the client to show the link, and tells it when the authorization has ended. Returns when the person, or the
 * client in their place, has answered, when no one has in time, or when the authorization has ended by another way.
 *
 * @param ended resolves when the authorization has ended, however
 */
export async function showLink(
  client: Server,
  pending: PendingAuthorization,
  ended: Promise<unknown>,
  forPerson: (sentence: Sentence) => Promise<string>,
): Promise<void> {
  const complete = client.createElicitationCompletionNotifier(pending.id)
  const done = new AbortController()
  void ended
    .finally(() => done.abort())
    .then(complete)
    .catch(() => undefined)
  try {
    await client.elicitInput(
      {
        mode: 'url',
        elicitationId: pending.id,
        url: pending.authorizationUrl,
        message: await forPerson(PLEASE),
      },
      { timeout: DIALOG_MS, signal: done.signal },
    )
  } catch {
    // No answer in time, or no need for one any more, or a client that declares what it does not do.
  }
}
