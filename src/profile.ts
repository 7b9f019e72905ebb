// Whose token set it is: one of a brand, an app and a name.

/** A profile's name is part of file names, on case-insensitive file systems too. */
export const PROFILE_NAME: RegExp = /^[a-z0-9][a-z0-9._-]{0,63}$/

export type Brand = 'feishu' | 'lark'

export const DEFAULT_PROFILE = 'default'

/** What stands behind a command that is for a profile, in a hint. */
export function profileOption(profile: string): string {
  return profile === DEFAULT_PROFILE ? '' : ` --profile ${profile}`
}

/** An app id is part of file names; Feishu's are `cli_` and hexadecimal digits. */
export const APP_ID: RegExp = /^[A-Za-z0-9_-]{1,64}$/

/** An app of a brand. */
export type AppKey = { brand: Brand; appId: string }

export type ProfileId = AppKey & { profile: string }
