import type { SandboxApp, SandboxUser } from './directory.ts'
import { PAGE_ERRORS } from './feishu-codes.ts'
import { CATALOGUE } from './scopes.ts'
import { type Answer, html } from './wire.ts'

const STYLE = `
:root { color-scheme: light dark; --ink: #1f2329; --dim: #646a73; --line: #dee0e3; --card: #fff; --ground: #f2f3f5; --blue: #3370ff }
@media (prefers-color-scheme: dark) { :root { --ink: #ebebeb; --dim: #a6a6a6; --line: #444; --card: #292929; --ground: #1a1a1a } }
* { box-sizing: border-box }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 24px; background: var(--ground); color: var(--ink); font: 15px/1.6 system-ui, sans-serif }
main { width: 100%; max-width: 460px; background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 28px 32px }
.badge { display: inline-block; padding: 2px 10px; border-radius: 99px; background: #ffba29; color: #1f2329; font-size: 13px; font-weight: 600 }
h1 { font-size: 21px; line-height: 1.35; margin: 16px 0 8px }
p { margin: 8px 0; color: var(--dim) }
ul { list-style: none; margin: 16px 0; padding: 0; border: 1px solid var(--line); border-radius: 8px }
li { padding: 8px 14px } li + li { border-top: 1px solid var(--line) }
code { font-size: 13px; color: var(--dim); overflow-wrap: anywhere }
label { display: flex; gap: 10px; align-items: baseline } label span { display: block }
select, input[type=text] { width: 100%; font: inherit; padding: 8px; border: 1px solid var(--line); border-radius: 6px; background: transparent; color: inherit }
.actions { display: flex; gap: 12px; margin-top: 20px }
button { flex: 1; font: inherit; padding: 10px; border-radius: 8px; border: 1px solid var(--line); background: transparent; color: inherit; cursor: pointer }
button.primary { background: var(--blue); border-color: var(--blue); color: #fff }
button:focus-visible { outline: 3px solid #3370ff66 }
.code { font: 600 28px/1.4 ui-monospace, monospace; letter-spacing: 3px }
`

/** Makes text safe inside HTML text and quoted attributes. */
function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}

function page(title: string, content: string): Answer {
  const answer = html(`<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)} · Feishu sandbox</title><style>${STYLE}</style></head>
<body><main><span class="badge">Feishu sandbox</span>
${content}
</main></body></html>`)
  answer.headers['content-security-policy'] = "default-src 'none'; style-src 'unsafe-inline'"
  answer.headers['referrer-policy'] = 'no-referrer'
  answer.headers['cache-control'] = 'no-store'
  return answer
}

function scopeItem(scope: string): string {
  const entry = CATALOGUE.get(scope)
  const title = entry ? `${entry.title} · ${entry.titleEn}` : scope
  return `<li><label><input type="checkbox" name="scope" value="${escapeHtml(scope)}" checked>
<span>${escapeHtml(title)}<br><code>${escapeHtml(scope)}</code></span></label></li>`
}

function userChoice(users: SandboxUser[]): string {
  const options = users.map(
    (user) =>
      `<option value="${escapeHtml(user.openId)}">${escapeHtml(`${user.name} · ${user.enName}`)}</option>`,
  )
  return `<label for="user">以谁的身份 / as</label><select id="user" name="user">${options.join('')}</select>`
}

/** What a consent form asks; `action` takes the decision as a POST. */
export type ConsentForm = {
  action: string
  ticket: string
  heading: string
  explanation: string
  userCode?: string
  scopes: string[]
  users: SandboxUser[]
}

/** The page on which a person approves (`#approve`) or denies (`#deny`). */
export function consentPage(form: ConsentForm): Answer {
  const code = form.userCode ? `<p class="code">${escapeHtml(form.userCode)}</p>` : ''
  const scopes = form.scopes.length > 0 ? `<ul>${form.scopes.map(scopeItem).join('')}</ul>` : ''
  return page(
    form.heading,
    `<h1>${escapeHtml(form.heading)}</h1>
<p>${escapeHtml(form.explanation)}</p>${code}
<form method="post" action="${escapeHtml(form.action)}">
<input type="hidden" name="ticket" value="${escapeHtml(form.ticket)}">
${scopes}${userChoice(form.users)}
<div class="actions"><button id="deny" name="decision" value="deny">拒绝 · Deny</button>
<button id="approve" class="primary" name="decision" value="approve">授权 · Approve</button></div></form>`,
  )
}

/** The page on which a person types the code that a device shows. */
export function userCodePage(path: string): Answer {
  return page(
    'Enter the code',
    `<h1>输入设备上显示的代码<br>Enter the code your device shows</h1>
<form method="get" action="${escapeHtml(path)}"><input type="text" name="user_code" autofocus autocomplete="off">
<div class="actions"><button class="primary">继续 · Continue</button></div></form>`,
  )
}

/** The end of a page that redirects nowhere. */
export function donePage(approved: boolean): Answer {
  const text = approved
    ? '已授权，可以关闭此页面。<br>Approved. You can close this page.'
    : '已拒绝，可以关闭此页面。<br>Denied. You can close this page.'
  return page(approved ? 'Approved' : 'Denied', `<h1>${text}</h1>`)
}

/** Feishu's own error page: number and log id, and never a redirect. */
export function errorPage(code: number, logId: string, lines: string[] = []): Answer {
  const text = PAGE_ERRORS[code] ?? { zh: '出错了', en: 'Something went wrong.' }
  const list =
    lines.length > 0 ? `<ul>${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join('')}</ul>` : ''
  return page(
    `错误码：${code}`,
    `<h1>${escapeHtml(text.zh)}</h1><p>${escapeHtml(text.en)}</p>${list}
<p>错误码：${code}<br>Error Code: ${code}<br>Log ID: <code id="log-id">${logId}</code></p>`,
  )
}

/** One line per scope that the app has not enabled, as page 20027 shows them. */
export function scopeLines(scopes: string[]): string[] {
  return scopes.map((scope) => `${CATALOGUE.get(scope)?.title ?? scope}: ${scope}`)
}

/** The heading of a consent page. */
export function consentHeading(app: SandboxApp): string {
  return `${app.name} 申请获得你的授权 / asks for your authorization`
}
