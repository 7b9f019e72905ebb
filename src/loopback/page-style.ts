/** How the pages look: the mark, the glyphs, the stylesheet and the policy that admits exactly that stylesheet. */

import { createHash } from 'node:crypto'

const MARK_SHAPES =
  '<path d="M17.7 12.6a5.6 5.6 0 1 1-5.6-5.6"/><path d="M16.1 16.6 25 25.5m-3.5-3.5 2.8-2.8"/><path fill="currentColor" d="M13.1 4.4v5.2l3.6-2.6z"/>'

/** The favicon: the mark with its colours inside, because a data URL sees no stylesheet. */
const FAVICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="9" fill="#0b6b63"/><g fill="none" color="#fff" stroke="currentColor" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round">${MARK_SHAPES}</g></svg>`

export const FAVICON_URL: string = `data:image/svg+xml,${encodeURIComponent(FAVICON)}`

/** The project's mark, a key whose bow is an arrow coming full circle: a token that is renewed. */
export const MARK: string = `<svg class="mark" viewBox="0 0 32 32" aria-hidden="true"><rect width="32" height="32" rx="9"/><g>${MARK_SHAPES}</g></svg>`

/** One line drawing per outcome, told apart by shape and not by colour. */
export const GLYPHS: { done: string; declined: string; failed: string; used: string; unknown: string } = {
  done: '<path d="m14 24.5 7 7 13.5-15"/>',
  declined: '<circle cx="24" cy="24" r="11"/><path d="m16.5 31.5 15-15"/>',
  failed: '<path d="M24 13.5v13"/><path d="M24 33.5v.1"/>',
  used: '<circle cx="24" cy="24" r="11"/><path d="M24 17.5V24l4.5 3"/>',
  unknown: '<path d="M18.5 19a5.5 5.5 0 1 1 8.4 4.7c-1.9 1.2-2.9 2.1-2.9 4.3"/><path d="M24 34.5v.1"/>',
}

export const STYLESHEET = `
:root{color-scheme:light dark;--ground:#f3f5f3;--card:#fff;--ink:#18201e;--soft:#54615d;--line:#dfe5e2;--accent:#0b6b63;--wash:#e8f3f0;--on-accent:#fff;--warn:#8a5300;--warn-wash:#fbf1df}
@media (prefers-color-scheme:dark){:root{--ground:#0f1413;--card:#181f1d;--ink:#e9f0ed;--soft:#a3b1ac;--line:#2c3734;--accent:#72d4c5;--wash:#1b2f2b;--on-accent:#0f1413;--warn:#e6b766;--warn-wash:#2d2517}}
*{box-sizing:border-box;margin:0}
p{text-wrap:pretty}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{min-height:100vh;min-height:100dvh;display:grid;align-items:center;justify-items:center;padding:1.5rem 1rem;background:var(--ground);color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","PingFang SC","Hiragino Sans GB","Microsoft YaHei","Noto Sans CJK SC","Noto Sans SC",sans-serif;overflow-wrap:anywhere}
main{width:100%;max-width:31rem;padding:2.5rem;background:var(--card);border:1px solid var(--line);border-radius:1.25rem}
svg{display:block;fill:none;stroke:currentColor;stroke-linecap:round;stroke-linejoin:round}
.brand{display:flex;align-items:center;gap:.625rem;color:var(--soft);font-size:.875rem;font-weight:500}
.mark{width:1.75rem;height:1.75rem;flex:none;color:var(--on-accent);stroke-width:2.6}
.mark rect{fill:var(--accent);stroke:none}
.glyph{width:3.5rem;height:3.5rem;margin:2.25rem 0 1.25rem;border-radius:50%;background:var(--line);stroke-width:3}
.done{background:var(--wash);color:var(--accent)}
.failed{background:var(--warn-wash);color:var(--warn)}
h1{font-size:1.625rem;line-height:1.3;font-weight:650;text-wrap:balance}
.lead{margin-top:.75rem;color:var(--soft)}
dl{margin-top:1.5rem;border-top:1px solid var(--line)}
dl div{display:flex;gap:1rem;padding:.75rem 0;border-bottom:1px solid var(--line)}
dt{flex:0 0 9.5rem;color:var(--soft)}
dd{flex:1;min-width:0;font-weight:500}
dd small{display:block;font-size:.875rem;font-weight:400;color:var(--soft)}
.next,.notes{margin-top:1.5rem;padding:1rem 1.25rem;border-radius:.75rem;background:var(--wash)}
.notes{background:var(--warn-wash)}
.notes h2,.notes a{color:var(--warn)}
.action{margin-top:.5rem;font-weight:600}
.action small{display:block;font-size:.875rem;font-weight:400}
.notes .action+p{margin-top:1rem}
.notes+.next{margin-top:1rem}
h2{margin-bottom:.25rem;font-size:.8125rem;line-height:1.5;font-weight:600;color:var(--accent)}
a{color:var(--accent);text-underline-offset:.2em}
a:focus-visible{outline:2px solid var(--accent);outline-offset:2px;border-radius:2px}
.code{margin-top:1.25rem;font-size:.875rem;color:var(--soft)}
code{display:block;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}
@media (max-width:30rem){body{align-items:start}main{padding:1.75rem 1.5rem}.glyph{width:3rem;height:3rem;margin:1.5rem 0 1rem}dl div{display:block;padding:.5rem 0}dt{font-size:.875rem}}
`

const STYLE_HASH = createHash('sha256').update(STYLESHEET).digest('base64')

/** Nothing but this stylesheet and the favicon may load, run, be framed or be submitted (CSP Level 3). */
export const CONTENT_SECURITY_POLICY: string = [
  "default-src 'none'",
  `style-src 'sha256-${STYLE_HASH}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
