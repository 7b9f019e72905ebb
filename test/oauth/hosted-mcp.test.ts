import { expect, test } from 'vitest'
import { DOCUMENTED_TOOLS, HOSTED_TOOLS } from '../../src/oauth/hosted-mcp.ts'

/** As Feishu’s page on its hosted MCP server names them. */
const DOCUMENTED =
  'search-user get-user search-doc fetch-file create-doc fetch-doc update-doc list-docs get-comments add-comments'
const OTHERS =
  'fetch-file-v2 list-docs-v2 search-groups get-group-members get-messages get-thread-messages search-messages get-read-status'

test('the tools of the hosted MCP server are those that Feishu documents, then those that were found', () => {
  expect(DOCUMENTED_TOOLS.join(' ')).toBe(DOCUMENTED)
  expect(HOSTED_TOOLS.join(' ')).toBe(`${DOCUMENTED} ${OTHERS}`)
})
