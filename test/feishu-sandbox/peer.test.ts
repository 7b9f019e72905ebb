import * as oauth from 'oauth4webapi'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Sandbox, startSandbox } from './sandbox.ts'

const insecure = { [oauth.allowInsecureRequests]: true }
const redirectUri = 'http://localhost:9000/callback'

let sandbox: Sandbox

beforeEach(async () => {
  sandbox = await startSandbox()
})

afterEach(() => sandbox.close())

function server(): oauth.AuthorizationServer {
  return {
    issuer: sandbox.url,
    authorization_endpoint: `${sandbox.url}/open-apis/authen/v1/authorize`,
    token_endpoint: `${sandbox.url}/open-apis/authen/v2/oauth/token`,
    device_authorization_endpoint: `${sandbox.url}/oauth/v1/device_authorization`,
    revocation_endpoint: `${sandbox.url}/oauth/v1/revoke`,
  }
}

test('oauth4webapi completes authorization code with PKCE, refresh and revocation', async () => {
  const as = server()
  const client = { client_id: sandbox.app.appId }
  const auth = oauth.ClientSecretPost(sandbox.app.appSecret)
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(as.authorization_endpoint ?? '')
  url.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: redirectUri,
    scope: 'docx:document offline_access',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString()

  const location = new URL(await sandbox.approve(url.href))
  const parameters = oauth.validateAuthResponse(as, client, location, state)
  const first = await oauth.processAuthorizationCodeResponse(
    as,
    client,
    await oauth.authorizationCodeGrantRequest(as, client, auth, parameters, redirectUri, verifier, insecure),
  )
  expect(first).toMatchObject({ expires_in: 6_871, scope: 'auth:user.id:read docx:document offline_access' })

  const refreshToken = first.refresh_token ?? ''
  const request = () => oauth.refreshTokenGrantRequest(as, client, auth, refreshToken, insecure)
  const second = await oauth.processRefreshTokenResponse(as, client, await request())
  expect(second.refresh_token).not.toBe(first.refresh_token)
  const reused = oauth.processRefreshTokenResponse(as, client, await request())
  await expect(reused).rejects.toMatchObject({ error: 'invalid_grant', status: 400, cause: { code: 20064 } })

  const last = second.refresh_token ?? ''
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, last, insecure))
  expect(sandbox.inspect(last)?.status).toBe('revoked')
})

test('oauth4webapi completes the device grant', async () => {
  const as = server()
  const client = { client_id: sandbox.app.appId }
  const basic = oauth.ClientSecretBasic(sandbox.app.appSecret)
  const scope = { scope: 'docx:document offline_access' }
  const started = await oauth.processDeviceAuthorizationResponse(
    as,
    client,
    await oauth.deviceAuthorizationRequest(as, client, basic, scope, insecure),
  )
  await sandbox.approveDevice(started.user_code)
  const post = oauth.ClientSecretPost(sandbox.app.appSecret)
  const tokens = await oauth.processDeviceCodeResponse(
    as,
    client,
    await oauth.deviceCodeGrantRequest(as, client, post, started.device_code, insecure),
  )
  expect(tokens.refresh_token).toMatch(/^eyJ/)
})

test('a denial reaches oauth4webapi as access_denied', async () => {
  const as = server()
  const url = `${as.authorization_endpoint}?client_id=${sandbox.app.appId}&response_type=code&redirect_uri=${redirectUri}&state=s`
  const location = new URL(await sandbox.deny(url))
  const validate = () => oauth.validateAuthResponse(as, { client_id: sandbox.app.appId }, location, 's')
  expect(validate).toThrow(expect.objectContaining({ error: 'access_denied' }))
})
