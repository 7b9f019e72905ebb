import { randomBytes } from 'node:crypto'
import { DEFAULT_SCOPES } from './scopes.ts'
import { type Brand, keepSecret, type State } from './state.ts'

export type SandboxApp = {
  /** `cli_…`; letters, digits and underscore only. */
  appId: string
  appSecret: string
  name: string
  brand: Brand
  redirectUrls: string[]
  enabledScopes: string[]
  enabled: boolean
  /** Installed in the person's tenant; otherwise 20009. */
  installed: boolean
  /** Open ids of those who may use the app. */
  availability: 'everyone' | string[]
}

export type SandboxUser = {
  openId: string
  unionId: string
  userId: string
  tenantKey: string
  name: string
  enName: string
  email: string
  mobile: string
  employeeNo: string
  avatarUrl: string
  status: 'active' | 'frozen' | 'resigned' | 'deleted'
}

/** Whether the app's availability range includes the person. */
export function isAvailable(app: SandboxApp, openId: string): boolean {
  return app.availability === 'everyone' || app.availability.includes(openId)
}

/** Registers an app with everything that is not given. */
export function addApp(state: State, given: Partial<SandboxApp> = {}): SandboxApp {
  const app: SandboxApp = {
    appId: `cli_${randomBytes(8).toString('hex')}`,
    appSecret: randomBytes(24).toString('base64url').replace(/[-_]/g, 'x'),
    name: 'Feishu sandbox app',
    brand: state.brand,
    redirectUrls: ['http://localhost:9000/callback'],
    enabledScopes: [...DEFAULT_SCOPES],
    enabled: true,
    installed: true,
    availability: 'everyone',
    ...given,
  }
  state.apps.set(app.appId, app)
  keepSecret(state, app.appSecret)
  return app
}

/** Adds a person; the first one is who approves where nothing is said. */
export function addUser(state: State, given: Partial<SandboxUser> = {}): SandboxUser {
  const number = state.users.size + 1
  const user: SandboxUser = {
    openId: `ou_${randomBytes(16).toString('hex')}`,
    unionId: `on_${randomBytes(16).toString('hex')}`,
    userId: randomBytes(4).toString('hex'),
    tenantKey: '736588c92lxf175d',
    name: number === 1 ? '沙小盒' : `沙小盒${number}`,
    enName: number === 1 ? 'Sandy Box' : `Sandy Box ${number}`,
    email: `sandy.box${number}@example.com`,
    mobile: `+86138000000${String(number).padStart(2, '0')}`,
    employeeNo: `${1_000 + number}`,
    avatarUrl: 'https://example.com/avatar.png',
    status: 'active',
    ...given,
  }
  state.users.set(user.openId, user)
  return user
}
