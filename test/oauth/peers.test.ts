import { OAuth2Server } from 'oauth2-mock-server'
import { expect, onTestFinished, test } from 'vitest'
import { createTransport } from '../../src/machine/transport.ts'
import { authorizationUrl, readAuthorizationResponse } from '../../src/oauth/authorization.ts'
import { endpointsOf } from '../../src/oauth/feishu.ts'
import { calculateCodeChallenge, createCodeVerifier, createState } from '../../src/oauth/pkce.ts'
import {
  authorizationCodeGrantRequest,
  processTokenAnswer,
  refreshTokenGrantRequest,
} from '../../src/oauth/token-endpoint.ts'
import { Secret } from '../../src/secret.ts'

const client = { appId: 'cli_peer', appSecret: new Secret('peer secret') }
const options = { deadlineMs: 5_000, account: { key: 'feishu-cli_peer-default', forced: false } }
const redirectUri = 'http://localhost:9000/callback'

async function startPeer(): Promise<string> {
  const server = new OAuth2Server()
  await server.issuer.keys.generate('RS256')
  await server.start(0, '127.0.0.1')
  onTestFinished(() => server.stop())
  return `http://127.0.0.1:${server.address().port}`
}

/** The redirect of a peer that approves by itself, read as our listener would read it. */
async function approvedCode(issuer: string, verifier: string): Promise<Secret> {
  const state = createState()
  const url = authorizationUrl({
    endpoint: `${issuer}/authorize`,
    clientId: client.appId,
    redirectUri,
    scopes: ['offline_access', 'auth:user.id:read'],
    state,
    codeChallenge: calculateCodeChallenge(verifier),
  })
  const redirect = await fetch(url, { redirect: 'manual' })
  const location = new URL(redirect.headers.get('location') ?? '')
  const response = readAuthorizationResponse(location.searchParams, { state, issuer })
  if (response?.kind !== 'code') throw new Error(`no code in ${location.href}`)
  return new Secret(response.code)
}

test('our client completes code, PKCE and refresh against an independent authorization server', async () => {
  const issuer = await startPeer()
  const { request } = createTransport({ proxy: null, noProxy: null })
  const endpoints = endpointsOf('feishu', { accountsUrl: issuer, openUrl: issuer })
  const context = { endpoints, appId: client.appId, scopes: [], now: Date.now(), secrets: [client.appSecret] }
  const token = `${issuer}/token`

  const codeVerifier = new Secret(createCodeVerifier())
  const code = await approvedCode(issuer, codeVerifier.reveal())
  const exchange = authorizationCodeGrantRequest(token, client, { code, redirectUri, codeVerifier }, options)
  const exchanged = processTokenAnswer(await request(exchange), context, null)
  if (exchanged.kind !== 'tokens' || !exchanged.response.refreshToken)
    throw new Error(JSON.stringify(exchanged))
  expect(exchanged.response).toMatchObject({ problem: null, accessTokenLifetimeMs: 3_600_000 })

  const { refreshToken } = exchanged.response
  const refresh = refreshTokenGrantRequest(token, client, refreshToken, options)
  const refreshed = processTokenAnswer(await request(refresh), context, refreshToken)
  if (refreshed.kind !== 'tokens') throw new Error(JSON.stringify(refreshed))
  expect(refreshed.response.problem).toBeNull()
  expect(refreshed.response.accessToken).not.toBeNull()

  const wrong = new Secret(createCodeVerifier())
  const another = await approvedCode(issuer, codeVerifier.reveal())
  const mismatch = authorizationCodeGrantRequest(
    token,
    client,
    { code: another, redirectUri, codeVerifier: wrong },
    options,
  )
  expect(processTokenAnswer(await request(mismatch), context, null)).toMatchObject({
    kind: 'error',
    verdict: 'keep',
  })
})
