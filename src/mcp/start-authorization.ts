import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import * as z from 'zod'
import { canShowLink, showLink } from './elicitation.ts'
import { CHANGES_STATE, nextStep, profileInput, profileOutput, time } from './fields.ts'
import { type ToolContext, toResult } from './tool-result.ts'

const input = z.strictObject({
  scopes: z
    .array(z.string().max(256))
    .max(2000)
    .optional()
    .describe(
      'Feishu scopes to ask for, in place of FEISHU_SCOPES. Leave out unless the person wants others.',
    ),
  method: z
    .enum(['browser', 'device'])
    .optional()
    .describe('"browser" (default): consent page and local callback. "device": a code for another device.'),
  open_browser: z
    .boolean()
    .optional()
    .describe('false: only return the link. true: open it even when joining a pending authorization.'),
  callback_url: z
    .string()
    .max(8192)
    .optional()
    .describe(
      'Only when the browser is on another machine: the whole address it ended on after approving (the page itself cannot load there).',
    ),
  cancel: z.boolean().optional().describe('true: cancel the pending authorization.'),
  profile: profileInput,
})

const output = z.strictObject({
  status: z.enum(['pending', 'succeeded', 'cancelled']).describe('pending: a person must approve.'),
  profile: profileOutput,
  authorization_url: z.string().nullable().describe('The link for the person to open. It holds no secret.'),
  user_code: z.string().nullable().describe('The code to type, for method "device".'),
  redirect_uri: z
    .string()
    .nullable()
    .describe("The redirect URL that must be registered in the app's settings."),
  expires_at: time('Until when the link can be used.'),
  browser_opened: z.boolean().describe('Whether the link was opened in a browser on this machine.'),
  joined: z.boolean().describe('true: this authorization was pending already; the link is the same.'),
  requested_scopes: z.array(z.string()).describe('The scopes that are asked for.'),
  console_urls: z
    .strictObject({
      redirect_settings: z.string().describe('Where to register the redirect URL and switch on refreshing.'),
      scope_settings: z.string().describe('Where to enable the scopes.'),
    })
    .describe("Pages of this app in Feishu's developer console."),
  next_step: nextStep,
})

/** Registers `start_authorization` (docs/design.md). */
export function registerStartAuthorization(server: McpServer, context: ToolContext): void {
  server.registerTool(
    'start_authorization',
    {
      title: 'Authorize Feishu (Lark)',
      description:
        'Starts the login of the person at Feishu / Lark (飞书授权, re-authorize) and returns the link to approve; returns at once. ' +
        'Call it when token_status says expired or not_authorized, or when the person asks to re-authorize. ' +
        'Show the person the link, then call token_status with wait_seconds 45 until authorization_status is no longer pending. ' +
        'A second call joins the pending authorization with the same link. It never returns a token.',
      inputSchema: input,
      outputSchema: output,
      annotations: CHANGES_STATE,
    },
    (given) =>
      toResult(context, async (deps) => {
        const [{ startAnswer }, { authorizationEnd }, { startAuthorization }, { Secret }] = await Promise.all(
          [
            import('../authorize/answer.ts'),
            import('../authorize/pending.ts'),
            import('../authorize/authorize.ts'),
            import('../secret.ts'),
          ],
        )
        const profile = given.profile ?? deps.config.profile
        const dialog = canShowLink(server)
        const result = await startAuthorization(deps, {
          profile,
          scopes:
            given.scopes?.flatMap((scope) => scope.split(/[\s,，]+/)).filter((scope) => scope !== '') ?? null,
          method: given.method ?? 'browser',
          openBrowser: dialog ? false : (given.open_browser ?? null),
          callbackUrl: given.callback_url === undefined ? null : new Secret(given.callback_url),
          cancel: given.cancel ?? false,
        })
        const asked = given.open_browser === true || !result.joined
        if (dialog && asked && result.status === 'pending' && result.pending) {
          const end = authorizationEnd(deps, profile)
          await showLink(server, result.pending, end, context.forPerson)
          const isOver = await Promise.race([end, null])
          if (isOver?.status === 'succeeded') return startAnswer(deps, { ...result, status: 'succeeded' })
        }
        return startAnswer(deps, result)
      }),
  )
}
