// The tool `start_authorization`.

import type { StartAnswer } from '../authorize/answer.ts'
import type { AuthorizationStep } from '../oauth/pending-authorization.ts'
import { canShowLink, showLink } from './elicitation.ts'
import { CHANGES_STATE, nextStepOutput, profileInput, profileOutput } from './fields.ts'
import {
  type FieldsOf,
  flag,
  objectOf,
  type Schema,
  sameWord,
  text,
  textOrNull,
  texts,
  word,
} from './schema.ts'
import { defineTool, type Tool } from './tool.ts'

const scopes: Schema<string[]> = {
  type: 'array',
  items: { type: 'string', maxLength: 256 },
  description: 'Only if the person wants others.',
}

const input = {
  scopes,
  method: word({ browser: true, device: true }, 'device: by a code, on any device.'),
  open_browser: flag('true: also when joining.'),
  callback_url: {
    ...text('From a browser elsewhere: the whole address that it ended on.'),
    maxLength: 8192,
  },
  cancel: flag('true: cancel what is pending.'),
  create_app: flag('true: with no app configured, create one first.'),
  profile: profileInput,
}

const output = {
  next_step: nextStepOutput,
  status: word({ pending: true, succeeded: true, cancelled: true }, 'pending: for a person.'),
  profile: profileOutput,
  authorization_step: sameWord<AuthorizationStep | null>('As of token_status.'),
  authorization_url: textOrNull('For the person.'),
  user_code: textOrNull('On the page.'),
  redirect_uri: textOrNull('To be registered.'),
  expires_at: textOrNull('End of the link.'),
  browser_opened: flag('On this machine.'),
  joined: flag('It was pending.'),
  requested_scopes: texts('Asked for.'),
  console_urls: objectOf<StartAnswer['console_urls']>(
    {
      redirect_settings: text('Redirect URL.'),
      scope_settings: text('Scopes.'),
    },
    'Developer console.',
  ),
} satisfies FieldsOf<StartAnswer>

/** `start_authorization` (docs/design.md). */
export const startAuthorizationTool: Tool = defineTool<typeof input, StartAnswer>({
  name: 'start_authorization',
  title: 'Authorize Feishu (Lark)',
  description:
    'Starts the login of the person at Feishu / Lark (飞书授权, re-authorize) and returns the link to approve. ' +
    'Call it when token_status says expired or not_authorized, or when the person asks. A second call joins the first.',
  annotations: CHANGES_STATE,
  input,
  output,
  scannedLink: ({ user_code, authorization_url }) => (user_code === null ? null : authorization_url),
  async answer(deps, given, { client, forPerson }) {
    const [{ startAnswer }, { authorizationEnd }, { startAuthorization }, { Secret }] = await Promise.all([
      import('../authorize/answer.ts'),
      import('../authorize/pending.ts'),
      import('../authorize/authorize.ts'),
      import('../secret.ts'),
    ])
    const profile = given.profile ?? deps.config.profile
    const dialog = canShowLink(client)
    const result = await startAuthorization(deps, {
      profile,
      scopes:
        given.scopes?.flatMap((scope) => scope.split(/[\s,，]+/)).filter((scope) => scope !== '') ?? null,
      method: given.method ?? 'browser',
      openBrowser: dialog ? false : given.open_browser,
      callbackUrl: given.callback_url === null ? null : new Secret(given.callback_url),
      cancel: given.cancel ?? false,
      createApp: given.create_app ?? false,
    })
    const asked = given.open_browser === true || !result.joined
    if (dialog && asked && result.status === 'pending' && result.pending) {
      const end = authorizationEnd(deps, profile)
      await showLink(client, result.pending, end, forPerson)
      const isOver = await Promise.race([end, null])
      if (isOver?.status === 'succeeded') return startAnswer(deps, { ...result, status: 'succeeded' })
    }
    return startAnswer(deps, result)
  },
})
