/** A profile's name is part of file names, on case-insensitive file systems too. */
export const PROFILE_NAME: RegExp = /^[a-z0-9][a-z0-9._-]{0,63}$/
