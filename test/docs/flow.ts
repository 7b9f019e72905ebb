// The picture of how a token comes to be and who gets it.

import { card, textAt } from '../support/svg.ts'

export type Language = 'en' | 'zh'

const WORDS = {
  en: {
    title: 'How it works',
    assistant: 'Your assistant',
    clients: 'Claude, Cursor, Codex, …',
    you: 'You, in the browser',
    youDo: 'approve once',
    feishu: 'Feishu / Lark',
    store: 'sealed store, no token shown',
    program: 'feishu-token-mcp',
    programDoes: 'one lock, one refresh',
    tools: 'start · status · refresh',
    link: '1  the link',
    code: '2  the code, on loopback',
    exchange: '3  code → token set',
    renew: '4  renewed in time, by one process',
    pull: 'token, exec',
    deliver: 'deliver',
    scripts: 'scripts and CLIs',
    gateway: 'lark-mcp behind the gateway',
    configs: 'MCP configs, .env files',
  },
  zh: {
    title: '工作原理',
    assistant: '你的 AI 助手',
    clients: 'Claude、Cursor、Codex……',
    you: '你，在浏览器里',
    youDo: '授权一次',
    feishu: '飞书 / Lark',
    store: '加密存储，不显示 token',
    program: 'feishu-token-mcp',
    programDoes: '一把锁，一次刷新',
    tools: '发起 · 查询 · 刷新',
    link: '1  授权链接',
    code: '2  授权码，经本机回环地址',
    exchange: '3  用授权码换 token',
    renew: '4  到期前由一个进程刷新',
    pull: 'token、exec',
    deliver: 'deliver',
    scripts: '脚本和命令行工具',
    gateway: '网关后面的 lark-mcp',
    configs: 'MCP 配置、.env 文件',
  },
} as const satisfies Record<Language, Record<string, string>>

type Box = { x: number; y: number; width: number; height: number }

function box({ x, y, width, height }: Box, lines: readonly string[], own = false): string[] {
  const middle = x + width / 2
  const first = y + height / 2 - (lines.length - 1) * 10 + 5
  return [
    `<rect class="${own ? 'ownbox' : 'box'}" x="${x}" y="${y}" width="${width}" height="${height}" rx="8"/>`,
    ...lines.map((line, index) =>
      textAt(middle, first + index * 20, line, {
        anchor: 'middle',
        bold: index === 0,
        size: index === 0 ? 15 : 12.5,
        kind: index === 0 ? 'text' : 'quiet',
      }),
    ),
  ]
}

/** A line with a head, and its words. */
function arrow(
  path: string,
  label: { x: number; y: number; text: string; anchor?: 'start' | 'middle' | 'end' },
): string[] {
  const { x, y, text, anchor = 'middle' } = label
  return [
    `<path class="line" d="${path}" fill="none" stroke-width="1.8" marker-end="url(#head)"/>`,
    textAt(x, y, text, { anchor, size: 12.5 }),
  ]
}

/** Draws the flow with the words of a language. */
export function drawFlow(language: Language): string {
  const words = WORDS[language]
  const head =
    '<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto-start-reverse"><path class="own" d="M0,0 L10,5 L0,10 z"/></marker></defs>'
  return card({ width: 860, height: 400 }, words.title, [
    head,
    ...box({ x: 24, y: 40, width: 200, height: 70 }, [words.assistant, words.clients]),
    ...box({ x: 24, y: 200, width: 200, height: 70 }, [words.you, words.youDo]),
    ...box(
      { x: 330, y: 100, width: 250, height: 100 },
      [words.program, words.programDoes, words.store],
      true,
    ),
    ...box({ x: 690, y: 100, width: 146, height: 100 }, [words.feishu]),
    ...arrow('M224,75 H455 V98', { x: 340, y: 66, text: words.tools }),
    ...arrow('M124,110 V198', { x: 136, y: 158, text: words.link, anchor: 'start' }),
    ...arrow('M224,235 H365 V202', { x: 302, y: 254, text: words.code }),
    ...arrow('M580,132 H688', { x: 634, y: 88, text: words.exchange }),
    ...arrow('M580,168 H688', { x: 592, y: 222, text: words.renew, anchor: 'start' }),
    ...box({ x: 110, y: 320, width: 180, height: 46 }, [words.scripts]),
    ...box({ x: 325, y: 320, width: 260, height: 46 }, [words.gateway]),
    ...box({ x: 620, y: 320, width: 216, height: 46 }, [words.configs]),
    ...arrow('M405,200 V290 H200 V318', { x: 300, y: 283, text: words.pull }),
    ...arrow('M455,200 V318', { x: 465, y: 262, text: 'exec', anchor: 'start' }),
    ...arrow('M505,200 V290 H728 V318', { x: 620, y: 283, text: words.deliver }),
  ])
}
