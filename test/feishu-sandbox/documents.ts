import type { State } from './state.ts'

export type SandboxDocument = { id: string; title: string; markdown: string }

/** What people have written before any test begins. */
export const FIRST_DOCUMENTS: readonly SandboxDocument[] = [
  {
    id: 'doxcnWeeklyPlan0000000000001',
    title: 'Weekly plan',
    markdown: '# Weekly plan\n\n- Monday: review the launch list\n- Thursday: the launch, at 15:00\n',
  },
  {
    id: 'doxcnMeetingNotes00000000002',
    title: 'Meeting notes',
    markdown: '# Meeting notes\n\nDecided: the launch moves from Wednesday to Thursday.\n',
  },
]

/** Adds a document and names it as Feishu would. */
export function createDocument(state: State, title: string, markdown: string): SandboxDocument {
  const id = `doxcn${String(state.documents.size + 1).padStart(23, '0')}`
  const document = { id, title, markdown }
  state.documents.set(id, document)
  return document
}

/** The documents that hold a word, in any case. */
export function searchDocuments(state: State, query: string): SandboxDocument[] {
  const word = query.toLowerCase()
  return [...state.documents.values()].filter(({ title, markdown }) =>
    `${title}\n${markdown}`.toLowerCase().includes(word),
  )
}
