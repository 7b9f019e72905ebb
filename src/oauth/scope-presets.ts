// Names that stand for the scopes of a whole set of tools, wherever scopes are written.

/** Preset → user scopes, without `offline_access`, which is asked for always. */
const PRESETS: Readonly<Record<string, readonly string[]>> = {
  // What Feishu's hosted MCP server documents for its ten tools.
  '@hosted-mcp': [
    'contact:user:search',
    'contact:contact.base:readonly',
    'contact:user.base:readonly',
    'docs:document.media:download',
    'search:docs:read',
    'wiki:wiki:readonly',
    'docx:document:create',
    'wiki:node:read',
    'wiki:node:create',
    'docs:document.media:upload',
    'board:whiteboard:node:create',
    'docx:document:readonly',
    'task:task:read',
    'im:chat:read',
    'docx:document:write_only',
    'board:whiteboard:node:read',
    'docs:document.comment:read',
    'docs:document.comment:create',
  ],
  // Of preset.default in lark-mcp 0.5.1, the tools that take a user token: chats, bases, documents, wikis. The package
  // names no scopes; these are the narrowest that Feishu's API reference gives for what those tools call.
  '@lark-mcp': (
    'im:chat:readonly bitable:app docx:document:readonly docs:document:import docs:document.media:upload ' +
    'search:docs:read docs:permission.member:create wiki:wiki:readonly'
  ).split(' '),
}

/** The names of the presets. */
export const PRESET_NAMES: readonly string[] = Object.keys(PRESETS)

/** The scopes with each preset in place of its name; a name that is no preset stays, for whoever checks scopes. */
export function expandPresets(scopes: readonly string[]): string[] {
  return scopes.flatMap((scope) => (Object.hasOwn(PRESETS, scope) ? (PRESETS[scope] ?? []) : [scope]))
}

/** Everything that a preset names: real names, all of them. */
export function presetScopes(): string[] {
  return expandPresets(PRESET_NAMES)
}

/** Splits a list of scopes at spaces and commas, drops doubles, and adds `offline_access` (no refresh without it). */
export function splitScopes(text: string): string[] {
  return withOfflineAccess(text.split(/[\s,，]+/).filter((scope) => scope !== ''))
}

/** The scopes without doubles, presets spelled out, `offline_access` among them. */
export function withOfflineAccess(scopes: readonly string[]): string[] {
  return [...new Set([...expandPresets(scopes), 'offline_access'])]
}
