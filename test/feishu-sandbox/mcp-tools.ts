// The tools of Feishu's hosted MCP server. Documents can be read, made and found; the others are there to be listed.

import { createDocument, searchDocuments } from './documents.ts'
import type { State } from './state.ts'

export type HostedTool = {
  name: string
  /** User scopes that a call needs, all of them. */
  scopes: string[]
  description: string
  properties: Record<string, { type: string; description: string }>
  required: string[]
  readOnly: boolean
  /** What the tool answers; none: it does nothing here. */
  run?: (state: State, args: Record<string, unknown>) => unknown
}

function text(description: string): { type: string; description: string } {
  return { type: 'string', description }
}

function listed(name: string, scopes: string[], readOnly = true): HostedTool {
  return { name, scopes, description: `${name} of Feishu.`, properties: {}, required: [], readOnly }
}

/** The ten that Feishu documents, and those seen since. */
export const HOSTED_TOOLS: readonly HostedTool[] = [
  listed('search-user', ['contact:user:search']),
  listed('get-user', ['contact:contact.base:readonly', 'contact:user.base:readonly']),
  {
    name: 'search-doc',
    scopes: ['search:docs:read', 'wiki:wiki:readonly'],
    description: 'Finds documents by a word.',
    properties: { query: text('The word.') },
    required: ['query'],
    readOnly: true,
    run: (state, { query }) => ({
      items: searchDocuments(state, String(query ?? '')).map(({ id, title }) => ({ doc_id: id, title })),
    }),
  },
  listed('fetch-file', ['docs:document.media:download']),
  {
    name: 'create-doc',
    scopes: ['docx:document:create', 'wiki:node:read', 'wiki:node:create'],
    description: 'Makes a document of Markdown.',
    properties: { title: text('Its title.'), markdown: text('Its text.') },
    required: ['title', 'markdown'],
    readOnly: false,
    run: (state, { title, markdown }) => ({
      doc_id: createDocument(state, String(title), String(markdown)).id,
    }),
  },
  {
    name: 'fetch-doc',
    scopes: ['docx:document:readonly', 'task:task:read', 'im:chat:read'],
    description: 'Reads a document as Markdown.',
    properties: { doc_id: text('Its id or address.') },
    required: ['doc_id'],
    readOnly: true,
    run: (state, { doc_id }) => state.documents.get(String(doc_id)),
  },
  listed('update-doc', ['docx:document:write_only', 'board:whiteboard:node:read'], false),
  listed('list-docs', ['wiki:wiki:readonly']),
  listed('get-comments', ['docs:document.comment:read']),
  listed('add-comments', ['docs:document.comment:create'], false),
  ...[
    'fetch-file-v2',
    'list-docs-v2',
    'search-groups',
    'get-group-members',
    'get-messages',
    'get-thread-messages',
    'search-messages',
    'get-read-status',
  ].map((name) => listed(name, [])),
]

/** A tool as `tools/list` shows it. */
export function describeTool({ name, description, properties, required, readOnly }: HostedTool): object {
  return {
    name,
    description,
    inputSchema: { type: 'object', properties, required },
    annotations: { readOnlyHint: readOnly, destructiveHint: !readOnly },
  }
}
