// The picture that the README begins with. It is no wider than a phone's page, so that it is never scaled down to be
// illegible.

import { card, textAt } from '../support/svg.ts'
import type { Language } from './flow.ts'
import type { Moment } from './moment-run.ts'

const WIDTH = 500
const SIZE = 15
const LINE = 22
const PADDING = 14

const WORDS = {
  en: {
    title: 'You ask, your client shows the link, you approve once, and the document is read',
    question: 'When is the launch? It is in Feishu.',
    you: 'You',
    assistant: 'Your assistant',
    asks: (server: string) => `${server} asks you to open a link`,
    open: 'Open in browser',
    decline: 'Decline',
    browser: 'Your browser',
    person: (name: string) => ` for ${name}`,
    answer: (document: string) => `From “${document}”:`,
    later:
      'Two hours later that token has expired. It is renewed on the way, and the next question is answered as well.',
  },
  zh: {
    title: '你提问，客户端弹出链接，你授权一次，文档就读到了',
    question: '什么时候上线？飞书里有计划。',
    you: '你',
    assistant: '你的助手',
    asks: (server: string) => `${server} 请你打开一个链接`,
    open: '在浏览器中打开',
    decline: '拒绝',
    browser: '你的浏览器',
    person: (name: string) => `：${name}`,
    answer: (document: string) => `《${document}》里写着：`,
    later: '两小时后凭证过期：调用途中自动刷新，下一个问题照样有答案。',
  },
} as const

/** About how wide a text is: of a letter half its size, of a Chinese sign all of it. */
function widthOf(text: string): number {
  return [...text].reduce((sum, sign) => sum + (sign > '\u2e7f' ? SIZE : SIZE * 0.53), 0)
}

function wrapped(text: string, width: number): string[] {
  const lines = ['']
  for (const word of text.match(/[\u2e80-\uffff]|[^\s\u2e80-\uffff]+\s*|\s+/gu) ?? []) {
    const line = `${lines.at(-1)}${word}`
    if (widthOf(line.trimEnd()) > width) lines.push(word)
    else lines[lines.length - 1] = line
  }
  return lines.map((line) => line.trimEnd())
}

type Panel = {
  by: string
  lines: { text: string; kind?: string; bold?: boolean }[]
  side?: 'left' | 'right'
  own?: boolean
  buttons?: string[]
}

function button(x: number, y: number, text: string, first: boolean): { drawn: string[]; width: number } {
  const width = widthOf(text) + 24
  const drawn = [
    `<rect class="${first ? 'own' : 'box'}" x="${x}" y="${y}" width="${width}" height="30" rx="6"/>`,
    textAt(x + width / 2, y + 20, text, { anchor: 'middle', size: 14, kind: first ? 'onown' : 'text' }),
  ]
  return { drawn, width }
}

/** Who speaks, and below it the box; answers with where the next one begins. */
function panel(
  top: number,
  { by, lines, side = 'left', own = false, buttons = [] }: Panel,
): [string[], number] {
  const width = 420
  const x = side === 'left' ? 20 : WIDTH - 20 - width
  const end =
    side === 'left' ? { x: x + 2, anchor: 'start' as const } : { x: x + width - 2, anchor: 'end' as const }
  const height = lines.length * LINE + 2 * PADDING - 6 + (buttons.length > 0 ? 40 : 0)
  const drawn = [
    textAt(end.x, top + 12, by, { anchor: end.anchor, size: 12.5, kind: 'quiet' }),
    `<rect class="${own ? 'ownbox' : 'box'}" x="${x}" y="${top + 20}" width="${width}" height="${height}" rx="10"/>`,
    ...lines.map(({ text, ...style }, index) =>
      textAt(x + PADDING, top + 20 + PADDING + 12 + index * LINE, text, { size: SIZE, ...style }),
    ),
  ]
  let left = x + PADDING
  for (const [index, text] of buttons.entries()) {
    const { drawn: shape, width } = button(left, top + 20 + height - 42, text, index === 0)
    drawn.push(...shape)
    left += width + 10
  }
  return [drawn, top + 20 + height + 12]
}

/** Draws the moment with the words of a language. */
export function drawMoment(moment: Moment, language: Language): string {
  const words = WORDS[language]
  const inside = 420 - 2 * PADDING
  const plain = (text: string) => wrapped(text, inside).map((line) => ({ text: line }))
  const quiet = (text: string) => ({ text, kind: 'quiet' })
  const { dialog, approval } = moment
  const [heading = '', ...body] = moment.document.split('\n').filter((line) => line !== '')
  const link = dialog.url.replace(/^(.{46}).*/, '$1…')
  const panels: Panel[] = [
    { by: words.you, lines: plain(words.question), side: 'right' },
    { by: words.assistant, lines: [quiet(`search-doc → ${moment.refusal} → start_authorization`)] },
    {
      by: words.asks(dialog.server),
      lines: [...plain(dialog.message), { text: link, kind: 'link' }],
      own: true,
      buttons: [words.open, words.decline],
    },
    {
      by: words.browser,
      lines: [{ text: `✓ ${approval.title}${words.person(approval.person)}`, bold: true }],
      side: 'right',
    },
    {
      by: `${words.assistant} · search-doc, fetch-doc`,
      lines: [
        { text: words.answer(heading.replace('# ', '')) },
        ...body.map((line) => ({ text: line.replace('- ', '• ') })),
      ],
    },
  ]
  const content: string[] = []
  let top = 18
  for (const each of panels) {
    const [drawn, next] = panel(top, each)
    content.push(...drawn)
    top = next
  }
  for (const line of wrapped(words.later, WIDTH - 44)) {
    content.push(textAt(22, top + 14, line, { size: 13.5, kind: 'quiet' }))
    top += 20
  }
  const style =
    '\n  .onown { fill: #ffffff } .link { fill: #0969da }\n  @media (prefers-color-scheme: dark) { .onown { fill: #0d1117 } .link { fill: #4493f8 } }'
  return card({ width: WIDTH, height: top + 20 }, words.title, content, style)
}
