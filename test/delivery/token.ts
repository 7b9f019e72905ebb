import type { DeliverableToken } from '../../src/delivery/deliver.ts'

export const NOW: number = Date.parse('2026-11-22T10:00:00Z')

/** A token of the length and shape of Feishu's, different for each name. */
export function makeToken(name: string): DeliverableToken {
  const accessToken = `eyJ${Buffer.from(`${name}:`.padEnd(900, name)).toString('base64url')}`
  return { accessToken, accessTokenExpiresAt: NOW + 7_200_000, scopes: ['docx:document', 'offline_access'] }
}
