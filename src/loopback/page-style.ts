// How the pages look: the mark, the glyphs, the stylesheet and the policy that admits exactly that stylesheet.

import { createHash } from 'node:crypto'

/** The program's mark, `docs/icon.svg`: a key hole in an arrow that comes full circle. */
const MARK_SHAPES =
  '<rect width="64" height="64" rx="14" fill="#1456d9"/><path d="M47 18.8A20 20 0 1 0 51.9 34" fill="none" stroke="#fff" stroke-width="7" stroke-linecap="round"/><path d="M54 8v16H38z" fill="#fff"/><path d="M32 24a7 7 0 0 0-4 12.7V44h8v-7.3A7 7 0 0 0 32 24z" fill="#7ef0d0"/>'

export const MARK: string = `<svg class="mark" viewBox="0 0 64 64" aria-hidden="true">${MARK_SHAPES}</svg>`

const FAVICON = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 64 64">${MARK_SHAPES}</svg>`

export const FAVICON_URL: string = `data:image/svg+xml,${encodeURIComponent(FAVICON)}`

/** One line drawing per outcome, told apart by shape and not by colour. */
export const GLYPHS: { done: string; declined: string; attention: string; used: string; unknown: string } = {
  done: '<path d="m14 24.5 7 7 13.5-15"/>',
  declined: '<circle cx="24" cy="24" r="11"/><path d="m16.5 31.5 15-15"/>',
  attention: '<path d="M24 13.5v13"/><path d="M24 33.5v.1"/>',
  used: '<circle cx="24" cy="24" r="11"/><path d="M24 17.5V24l4.5 3"/>',
  unknown: '<path d="M18.5 19a5.5 5.5 0 1 1 8.4 4.7c-1.9 1.2-2.9 2.1-2.9 4.3"/><path d="M24 34.5v.1"/>',
}

export const STYLESHEET = `
:root{color-scheme:light dark;--ground:#f3f4f7;--card:#fff;--ink:#171b24;--soft:#535c6b;--line:#dfe3ea;--accent:#1456d9;--wash:#e9effc;--warn:#8a5300;--warn-wash:#fbf1df}
@media (prefers-color-scheme:dark){:root{--ground:#0f1116;--card:#181b22;--ink:#e9ecf2;--soft:#a3abb9;--line:#2b313c;--accent:#8fb4ff;--wash:#1a2540;--warn:#e6b766;--warn-wash:#2d2517}}
*{box-sizing:border-box;margin:0}
p{text-wrap:pretty}
html{-webkit-text-size-adjust:100%;text-size-adjust:100%}
body{min-height:100vh;min-height:100dvh;display:grid;align-items:center;justify-items:center;padding:1.5rem 1rem;background:var(--ground);color:var(--ink);font:1rem/1.6 system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue","PingFang SC","Hiragino Sans GB","Microsoft YaHei","Noto Sans CJK SC","Noto Sans SC",sans-serif;overflow-wrap:anywhere}
main{width:100%;max-width:31rem;padding:2.5rem;background:var(--card);border:1px solid var(--line);border-radius:1.25rem}
svg{display:block}
.glyph{fill:none;stroke:currentColor;stroke-linecap:round;stroke-linejoin:round}
.brand{display:flex;align-items:center;gap:.625rem;color:var(--soft);font-size:.875rem;font-weight:500}
.mark{width:1.75rem;height:1.75rem;flex:none}
.glyph{width:3.5rem;height:3.5rem;margin:2.25rem 0 1.25rem;border-radius:50%;background:var(--line);stroke-width:3}
.done{background:var(--wash);color:var(--accent)}
.attention{background:var(--warn-wash);color:var(--warn)}
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
