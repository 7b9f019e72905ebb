// The moment that the README begins with, in a real run: somebody asks for a document, the client shows the link in a
// dialog of its own, the person approves, the document is read; and it is read again when the token has ended.

import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js'
import type { Language } from './flow.ts'
import {
  type Answer,
  APPROVED_AT,
  approve,
  call,
  DUE_AT,
  onStage,
  published,
  type Stage,
  withServer,
} from './run.ts'

/** What the person looks for, and what stands in the document. */
const PLANS: Record<Language, { word: string; title: string; markdown: string }> = {
  en: {
    word: 'launch plan',
    title: 'Launch plan',
    markdown: '# Launch plan\n\n- Monday: review the launch list\n- Thursday: the launch, at 15:00\n',
  },
  zh: {
    word: '上线计划',
    title: '上线计划',
    markdown: '# 上线计划\n\n- 周一：过一遍上线清单\n- 周四：15:00 上线\n',
  },
}

export type Moment = {
  /** The code with which the first call fails. */
  refusal: string
  dialog: { server: string; message: string; url: string }
  /** Heading of the page after the approval, and who logged in. */
  approval: { title: string; person: string }
  document: string
}

function textOf({ content, isError }: Answer): string {
  const text = content[0]?.text ?? ''
  if (isError) throw new Error(text)
  return text
}

async function readDocument(client: Client, word: string): Promise<string> {
  const [found] = JSON.parse(textOf(await call(client, 'search-doc', { query: word }))).items
  return JSON.parse(textOf(await call(client, 'fetch-doc', { doc_id: found.doc_id }))).markdown
}

async function logIn(stage: Stage, client: Client, refused: Answer): Promise<Omit<Moment, 'document'>> {
  let dialog: { message: string; url: string } | null = null
  client.setRequestHandler(ElicitRequestSchema, ({ params }) => {
    dialog = params as unknown as { message: string; url: string }
    return { action: 'accept' }
  })
  const { structuredContent } = await call(client, 'start_authorization')
  if (!dialog) throw new Error('the client was not asked to show the link')
  const { message, url }: { message: string; url: string } = dialog
  if (url !== structuredContent.authorization_url) throw new Error('the dialog shows another link')
  const title = /<h1[^>]*>([^<]+)/.exec(await approve(stage.sandbox, url))?.[1] ?? ''
  const status = await call(client, 'token_status', { wait_seconds: 20 })
  return {
    refusal: /\[code=(\w+)/.exec(refused.content[0]?.text ?? '')?.[1] ?? '',
    dialog: { server: client.getServerVersion()?.name ?? '', message, url: published(stage, url) },
    approval: { title, person: String(status.structuredContent.user_name) },
  }
}

/** Plays the moment against the sandbox. */
export async function playMoment(language: Language): Promise<Moment> {
  const { word, title, markdown } = PLANS[language]
  return await onStage(async (stage) => {
    const capabilities = { capabilities: { elicitation: { url: {} } } }
    const open = () => ({
      client: new Client({ name: 'docs', version: '1.0.0' }, capabilities),
      command: ['connect'],
    })
    const first = async (client: Client): Promise<Moment> => {
      const login = await logIn(stage, client, await call(client, 'search-doc', { query: word }))
      textOf(await call(client, 'create-doc', { title, markdown }))
      return { ...login, document: await readDocument(client, word) }
    }
    const moment = await withServer(stage, APPROVED_AT, first, open())
    const later = async (client: Client): Promise<void> => {
      const document = await readDocument(client, word)
      const { structuredContent } = await call(client, 'token_status')
      if (document !== moment.document || structuredContent.generation !== 2)
        throw new Error('the token was not renewed on the way')
    }
    await withServer(stage, DUE_AT, later, open())
    return moment
  }, language)
}
