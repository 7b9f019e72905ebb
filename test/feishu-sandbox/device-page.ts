import type { PendingDevice } from './device.ts'
import { isAvailable } from './directory.ts'
import { consentHeading, consentPage, donePage, errorPage, userCodePage } from './pages.ts'
import { createRegisteredApp } from './registration.ts'
import { authorize, type State } from './state.ts'
import type { Answer, Call } from './wire.ts'

function findByUserCode(state: State, userCode: string): PendingDevice | undefined {
  return [...state.devices.values()].find((device) => device.userCode === userCode.trim().toUpperCase())
}

/** The page that the device's link or QR code opens. */
export function handleDevicePage(call: Call): Answer {
  const { state, query, logId, path } = call
  const userCode = query.get('user_code')
  if (!userCode) return userCodePage(path)
  const device = findByUserCode(state, userCode)
  const app = state.apps.get(device?.appId ?? '')
  if (device?.status !== 'pending' || call.now >= device.expiresAt) return errorPage(20001, logId)
  return consentPage({
    action: path,
    ticket: device.userCode,
    heading: app ? consentHeading(app) : '创建一个新应用 / Create a new app',
    explanation:
      '请核对设备上显示的代码，不要接受他人发来的代码 / Compare the code; never accept one that was sent to you.',
    userCode: device.userCode,
    scopes: device.scopes,
    users: [...state.users.values()],
  })
}

/** The decision on that page; scopes that the app has not enabled are left out of the grant. */
export function handleDeviceDecision(call: Call): Answer {
  const { state, logId } = call
  const form = new URLSearchParams(call.body)
  const device = findByUserCode(state, form.get('ticket') ?? '')
  if (device?.status !== 'pending' || call.now >= device.expiresAt) return errorPage(20001, logId)
  if (form.get('decision') !== 'approve') {
    device.status = 'denied'
    return donePage(false)
  }
  const openId = form.get('user') ?? ''
  if (state.users.get(openId)?.status !== 'active') return errorPage(20010, logId)
  if (device.purpose === 'app') {
    device.app = createRegisteredApp(state)
  } else {
    const app = state.apps.get(device.appId ?? '')
    if (!app || !isAvailable(app, openId)) return errorPage(20010, logId)
    const scopes = form
      .getAll('scope')
      .filter((scope) => device.scopes.includes(scope) && app.enabledScopes.includes(scope))
    device.authorization = authorize(state, app.appId, openId, scopes)
  }
  device.openId = openId
  device.status = 'approved'
  return donePage(true)
}
