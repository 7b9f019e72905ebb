import { randomBytes } from 'node:crypto'
import { findPollError, startDevice } from './device.ts'
import { addApp, type SandboxApp } from './directory.ts'
import type { State } from './state.ts'
import { type Answer, type Call, json, oauthError } from './wire.ts'

export const REGISTRATION_PATH = '/oauth/v1/app/registration'
export const LAUNCHER_PATH = '/page/launcher'
/** The address that Feishu's own CLI builds for the same page. */
export const CLI_PAGE_PATH = '/page/cli'

/** The app that a person creates by scanning: no redirect URL, in the person's brand. */
export function createRegisteredApp(state: State): SandboxApp {
  return addApp(state, { name: 'Personal agent', brand: state.knobs.registrationBrand, redirectUrls: [] })
}

function begin(call: Call, fields: Record<string, string>): Answer {
  if (fields.archetype !== 'PersonalAgent') return oauthError('invalid_request', 'Unknown archetype.')
  if (fields.auth_method && fields.auth_method !== 'client_secret') {
    return oauthError('invalid_request', 'Only client_secret is supported.')
  }
  const { expires_in, ...started } = startDevice(call, 'app', LAUNCHER_PATH, { appId: null, scopes: [] })
  return json(200, { ...started, expire_in: expires_in })
}

/** A person of the other brand is announced once, without credentials; that brand's host hands them out. */
function poll(call: Call, fields: Record<string, string>): Answer {
  const { state } = call
  const found = state.devices.get(fields.device_code ?? '')
  const device = found?.purpose === 'app' ? found : undefined
  const error = findPollError(call, device)
  if (error || !device?.app) return error ?? oauthError('invalid_grant', 'The device code is invalid.')
  const { app } = device
  const user = { open_id: device.openId, tenant_brand: app.brand }
  if (app.brand !== 'feishu' && !device.brandAnnounced) {
    device.brandAnnounced = true
    device.lastPolledAt = null // the switched poll comes at once
    return json(200, { user_info: user })
  }
  device.status = 'used'
  return json(200, {
    client_id: app.appId,
    client_secret: app.appSecret,
    user_info: user,
    auth_method: ['client_secret'],
  })
}

/** `POST /oauth/v1/app/registration`: an app is created by a person who opens a link. */
export function handleRegistration(call: Call): Answer {
  const { fields } = call
  if (!fields) return oauthError('invalid_request', 'The request is malformed.')
  if (fields.action === 'begin') return begin(call, fields)
  if (fields.action === 'poll') return poll(call, fields)
  if (fields.action === 'init') {
    return json(200, {
      nonce: randomBytes(16).toString('hex'),
      supported_auth_methods: ['client_secret', 'private_key_jwt'],
    })
  }
  return oauthError('invalid_request', 'Unknown action.')
}
