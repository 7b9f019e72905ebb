// The pages as HTML, one per outcome: fixed text (page-text.ts), nothing from the query.

import type { Bilingual, Language } from '../sentence.ts'
import { FAVICON_URL, GLYPHS, MARK, STYLESHEET } from './page-style.ts'
import { type Action, DECLINED, FACES, FIX, GO_BACK, LABELS, type Page } from './page-text.ts'

/** Long enough for every real name, short enough that a hostile one cannot fill the page. */
const MAX_NAME_CHARACTERS = 64

/** Real scripts stack at most a handful of marks on a letter; more is a way to paint over other lines. */
const STACKED_MARKS = /(\p{M}{4})\p{M}+/gu

/** Format characters (bidi overrides among them), lone surrogates, private use. */
const INVISIBLE = /[\p{Cf}\p{Cs}\p{Co}]+/gu

/** Controls and every kind of space and line break. */
const BLANK = /[\p{Cc}\p{Z}]+/gu

/** The only addresses that become links: Feishu's and Lark's own consoles and consent pages. */
const FEISHU_LINK = /(https:\/\/(?:open|accounts)\.(?:feishu\.cn|larksuite\.com)\/[\w\-.~/?=&%:+,]*[\w/=%-])/

/** Renders one outcome as a complete page with its HTTP status. */
export function renderPage(page: Page, language: Language): { status: number; html: string } {
  const succeeded = page.kind === 'succeeded' ? page : null
  const failed = page.kind === 'failed' || page.kind === 'unstored' ? page : null
  const complete = succeeded?.notes.length === 0 ? succeeded : null
  const { status, glyph, title, lead, next } = FACES[succeeded && !complete ? 'incomplete' : page.kind]
  const declined = page.kind === 'denied' ? DECLINED[page.seat ?? 'assistant'] : null
  const done = succeeded ? (complete ? GO_BACK : FIX)[succeeded.seat] : null
  const nextStep = done ?? declined ?? failed?.nextStep ?? next
  const html = `<!doctype html>
<html lang="${language === 'zh' ? 'zh-CN' : 'en'}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title[language]} · feishu-token-mcp</title>
<link rel="icon" href="${FAVICON_URL}">
<style>${STYLESHEET}</style>
</head>
<body>
<main>
<p class="brand">${MARK}feishu-token-mcp</p>
<svg class="glyph ${glyph}" viewBox="0 0 48 48" aria-hidden="true">${GLYPHS[glyph]}</svg>
<h1>${title[language]}</h1>
<p class="lead">${linkify((failed?.reason ?? lead)[language])}</p>
${succeeded ? renderFacts(succeeded, language) + renderNotes(succeeded.notes, language) : ''}
<section class="next">
<h2>${LABELS.nextStep[language]}</h2>
<p>${linkify(nextStep[language])}</p>
${failed?.action ? renderAction(failed.action, language) : ''}
</section>
${failed ? `<p class="code">${LABELS.errorCode[language]}<code>${escapeHtml(failed.code)}</code></p>` : ''}
</main>
</body>
</html>
`
  return { status, html }
}

/** Chooses the language: the setting, else the better liked of the two in `Accept-Language` (RFC 9110 §12.5.4). */
export function pageLanguage(acceptLanguage: string | undefined, setting: Language | null): Language {
  if (setting !== null) return setting
  let best: { language: Language; weight: number } = { language: 'en', weight: 0 }
  for (const range of (acceptLanguage ?? '').toLowerCase().split(',')) {
    const [, language, weight = '1'] =
      /^\s*(zh|en)(?:-[\w-]*)?\s*(?:;\s*q\s*=\s*([\d.]+)\s*)?$/.exec(range) ?? []
    if ((language === 'zh' || language === 'en') && Number(weight) > best.weight) {
      best = { language, weight: Number(weight) }
    }
  }
  return best.language
}

function renderFacts(page: Extract<Page, { kind: 'succeeded' }>, language: Language): string {
  const userName = page.userName === null ? '' : printableName(page.userName)
  const facts: [Bilingual, string][] = [
    [LABELS.account, `<bdi>${escapeHtml(userName || LABELS.unknownName[language])}</bdi>`],
    [LABELS.profile, `<bdi>${escapeHtml(printableName(page.profile))}</bdi>`],
    [LABELS.loggedInUntil, renderEnd(page, language)],
  ]
  const rows = facts.map(([label, value]) => `<div><dt>${label[language]}</dt><dd>${value}</dd></div>`)
  return `<dl>\n${rows.join('\n')}\n</dl>`
}

function renderNotes(notes: Extract<Page, { kind: 'succeeded' }>['notes'], language: Language): string {
  if (notes.length === 0) return ''
  const texts = notes.map(
    ({ text, action }) => `<p>${linkify(text[language])}</p>\n${renderAction(action, language)}`,
  )
  return `\n<section class="notes">\n<h2>${LABELS.notes[language]}</h2>\n${texts.join('\n')}\n</section>`
}

/** A private deployment's address is shown and not made a link, like every address that is not Feishu's own. */
function renderAction({ label, url }: Action, language: Language): string {
  const isLink = url.replace(FEISHU_LINK, '') === ''
  const shown = isLink
    ? `<a href="${escapeHtml(url)}" rel="noreferrer">${escapeHtml(label[language])}</a>`
    : `${escapeHtml(label[language])} <small>${escapeHtml(url)}</small>`
  return `<p class="action">${shown}</p>`
}

/** One instant alone: with the end of the access token beside it, people took that for the end of their login. */
function renderEnd(
  { reauthorizeBy, accessTokenExpiresAt }: Extract<Page, { kind: 'succeeded' }>,
  language: Language,
): string {
  const note = reauthorizeBy === null ? LABELS.notRenewed : LABELS.renewed
  return `${renderTime(reauthorizeBy ?? accessTokenExpiresAt, language)}<small>${note[language]}</small>`
}

/** The local time of this machine, with its distance from UTC spelled out: the page has no script to ask for another. */
function renderTime(at: number, language: Language): string {
  const date = new Date(at)
  const minutes = -date.getTimezoneOffset()
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60]
  const offset = `UTC${minutes < 0 ? '−' : '+'}${twoDigits(hours)}:${twoDigits(rest)}`
  const local = date.toLocaleString(language === 'zh' ? 'zh-CN' : 'en-GB', {
    dateStyle: 'long',
    timeStyle: 'short',
    hourCycle: 'h23',
  })
  return `<time datetime="${date.toISOString()}">${escapeHtml(local)} <small>${offset}</small></time>`
}

function twoDigits(value: number): string {
  return String(value).padStart(2, '0')
}

/** Makes a name that others chose fit to print: visible characters only, on one line, of bounded length. */
function printableName(name: string): string {
  // Cut once before the work, so that a megabyte costs nothing, and once after it.
  const visible = name
    .slice(0, 8 * MAX_NAME_CHARACTERS)
    .replace(INVISIBLE, '')
    .replace(BLANK, ' ')
    .trim()
  const characters = [...visible.replace(STACKED_MARKS, '$1')]
  if (characters.length <= MAX_NAME_CHARACTERS) return characters.join('')
  return `${characters.slice(0, MAX_NAME_CHARACTERS).join('')}…`
}

/** Escapes the text and makes Feishu's own addresses in it links. */
function linkify(text: string): string {
  // split() with one group puts the addresses at the odd places.
  return text
    .split(FEISHU_LINK)
    .map((part, index) => {
      const escaped = escapeHtml(part)
      return index % 2 === 1 ? `<a href="${escaped}" rel="noreferrer">${escaped}</a>` : escaped
    })
    .join('')
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
