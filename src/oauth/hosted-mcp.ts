// Feishu's hosted MCP server: what it is called with, and which hosts may see the token.

/** Every tool it is known to have; it lists only what `X-Lark-MCP-Allowed-Tools` names. */
export const HOSTED_TOOLS: readonly string[] = [
  'search-user',
  'get-user',
  'search-doc',
  'fetch-file',
  'create-doc',
  'fetch-doc',
  'update-doc',
  'list-docs',
  'get-comments',
  'add-comments',
  'fetch-file-v2',
  'list-docs-v2',
  'search-groups',
  'get-group-members',
  'get-messages',
  'get-thread-messages',
  'search-messages',
  'get-read-status',
]
