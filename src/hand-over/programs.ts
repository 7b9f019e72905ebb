// The programs whose variables we know, for `--for`.

export type ProgramName = 'lark-mcp' | 'lark-cli' | 'feishu-cli'

export type Program = {
  /** Its variables, with names in braces for what is filled in. */
  variables: Readonly<Record<string, string>>
  /** What it needs besides where the account is Lark's. */
  lark?: Readonly<Record<string, string>>
  /** Variables that it refuses or misreads beside these. */
  unset?: readonly string[]
  /** Whether its host can be set: else it gets the access token itself. */
  gateway: boolean
}

export const PROGRAMS: Readonly<Record<ProgramName, Program>> = {
  'lark-mcp': {
    variables: { USER_ACCESS_TOKEN: '{token}', LARK_DOMAIN: '{origin}' },
    gateway: true,
  },
  // It refuses the token without the App ID, and a variable beside its `_FILE` (larksuite/cli, extension/credential/env).
  'lark-cli': {
    variables: { LARKSUITE_CLI_USER_ACCESS_TOKEN: '{token}', LARKSUITE_CLI_APP_ID: '{app_id}' },
    lark: { LARKSUITE_CLI_BRAND: '{brand}' },
    unset: ['LARKSUITE_CLI_USER_ACCESS_TOKEN_FILE', 'LARKSUITE_CLI_APP_ID_FILE', 'LARKSUITE_CLI_BRAND'],
    gateway: false,
  },
  // Others read the same variable and want another value: it is set for this program alone.
  'feishu-cli': {
    variables: { FEISHU_USER_ACCESS_TOKEN: '{token}', FEISHU_BASE_URL: '{origin}' },
    gateway: true,
  },
}

/** The program of a name; null: we know none. */
export function programOf(name: string): Program | null {
  return Object.hasOwn(PROGRAMS, name) ? PROGRAMS[name as ProgramName] : null
}
