// The three tools. A new one is a file beside these and a row here (docs/development.md, "Add a tool").

import { refreshTokenTool } from './refresh-token.ts'
import { startAuthorizationTool } from './start-authorization.ts'
import { tokenStatusTool } from './token-status.ts'
import type { Tool } from './tool.ts'

/** Our tools, in the order in which a person meets them. */
export const TOOLS: readonly Tool[] = [startAuthorizationTool, tokenStatusTool, refreshTokenTool]
