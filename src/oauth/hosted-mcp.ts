// The tools of Feishu's hosted MCP server.

/** The tools that Feishu documents. */
export const DOCUMENTED_TOOLS: readonly string[] = [
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
]

/** Every tool it is known to have; it lists only what `X-Lark-MCP-Allowed-Tools` names. */
export const HOSTED_TOOLS: readonly string[] = [
  ...DOCUMENTED_TOOLS,
  'fetch-file-v2',
  'list-docs-v2',
  'search-groups',
  'get-group-members',
  'get-messages',
  'get-thread-messages',
  'search-messages',
  'get-read-status',
]
