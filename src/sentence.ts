// What the program says to people, as values: a sentence keeps its text and what stands in it until the door where it is
// said. A tool, `--json` and the store say it in English; a terminal in English or Chinese (`chinese/`).

/** A tool to call next; a terminal names the command that does the same. */
export type NextCall = {
  readonly call: ToolName
  readonly with: Readonly<Record<string, string | number | boolean>>
}
export type ToolName = 'start_authorization' | 'token_status' | 'refresh_token'

/** A command of this program, as a person types it. */
export type Typed = { readonly typed: string }

/** The languages of the product. */
export type Language = 'en' | 'zh'

/** A text that comes with its Chinese: Feishu's own errors, the pages. */
export type Bilingual = Readonly<Record<Language, string>>

/** What may stand in a sentence. A string is no one's language: a name, a path, what Feishu said. */
export type Value = string | number | Sentence | NextCall | Typed | Bilingual

type Form = {
  /** Goes on: without its full stop. */
  open?: boolean
  /** In the middle of another one: small at its beginning. */
  small?: boolean
  /** Said by tools alone, or by terminals alone. */
  only?: 'tools' | 'terminals'
  /** A cell of a table: filled up with blanks to so many columns. */
  width?: number
  /** Made into lines, for a terminal of so many columns. */
  fold?: (text: string, width: number | null) => string
  /** Its lines are those that are meant: a terminal does not fold them. */
  laidOut?: boolean
  /** How a terminal shows it, where it can. */
  style?: Style
}

export type Style = 'bold' | 'dim' | 'green' | 'red' | 'yellow'

/** How this process was started, and the profile that the person named: a terminal names commands, all else tools. */
export type Door = {
  command: string
  profile: string | undefined
  /** Colours and weights, where the terminal takes them. */
  paint?: ((style: Style, text: string) => string) | undefined
  /** The columns of the terminal. */
  readonly width?: number | null
} | null

const COMMANDS: Readonly<Record<ToolName, string>> = {
  start_authorization: 'login',
  token_status: 'status',
  refresh_token: 'refresh',
}

/** Made by {@link say}. As a string and in JSON it is what a tool says. */
export class Sentence {
  readonly texts: readonly string[]
  readonly values: readonly Value[]
  readonly form: Form

  constructor(texts: readonly string[], values: readonly Value[], form: Form = {}) {
    this.texts = texts
    this.values = values
    this.form = form
  }

  toString(): string {
    return inEnglish(this)
  }

  toJSON(): string {
    return inEnglish(this)
  }
}

/** A sentence: `` say`Process ${pid} keeps it.` `` Where a line of the source ends in it, a blank is meant. */
export function say(texts: TemplateStringsArray, ...values: Value[]): Sentence {
  return new Sentence(
    // Most are of one line, and many are made at a start.
    texts.some((text) => text.includes('\n ')) ? texts.map((text) => text.replace(/\n +/g, ' ')) : texts,
    values,
  )
}

/** More of a value that is refused tells no one more. */
const SHOWN_CHARACTERS = 80

/** A value that is refused, as it may be said back: without what a terminal, a page or a model acts on. */
export function shown(value: string): string {
  const plain = value.slice(0, SHOWN_CHARACTERS).replace(/[^\p{L}\p{N} _.:,;@/\\+=#~()%'!?{}$&-]/gu, '?')
  return `"${plain}${value.length > SHOWN_CHARACTERS ? '...' : ''}"`
}

/** What to call next, for a sentence: `` say`${call('token_status')} again.` `` says "Call token_status again." */
export function call(tool: ToolName, args: NextCall['with'] = {}): NextCall {
  return { call: tool, with: args }
}

/** The same sentence about one profile, perhaps not the one in force: what is to be called names it. */
export function about(sentence: Sentence, profile: string): Sentence {
  const values = sentence.values.map((value) => {
    if (value instanceof Sentence) return about(value, profile)
    return typeof value === 'object' && 'call' in value ? call(value.call, { ...value.with, profile }) : value
  })
  return new Sentence(sentence.texts, values, sentence.form)
}

/** A command to run, for a sentence: `` say`Run ${typed('doctor')} again.` `` names the program as it was started. */
export function typed(words: string): Typed {
  return { typed: words }
}

/** The same sentence for the middle of another one. */
export function clause(sentence: Sentence): Sentence {
  return new Sentence(sentence.texts, sentence.values, { ...sentence.form, open: true, small: true })
}

/** The same sentence for the beginning of another one. */
export function unended(sentence: Sentence): Sentence {
  return new Sentence(sentence.texts, sentence.values, { ...sentence.form, open: true })
}

/** The same sentence, which a terminal leaves out. */
export function toolsOnly(sentence: Sentence): Sentence {
  return new Sentence(sentence.texts, sentence.values, { ...sentence.form, only: 'tools' })
}

/** The same sentence, which a terminal alone says. */
export function terminalsOnly(sentence: Sentence): Sentence {
  return new Sentence(sentence.texts, sentence.values, { ...sentence.form, only: 'terminals' })
}

/** Whether it is said at this door. */
export function isSaid({ only }: Form, door: Door): boolean {
  return only === undefined || (only === 'terminals') === (door !== null)
}

/** The same sentence, with a colour or weight where a terminal takes it. */
export function styled(sentence: Sentence, style: Style): Sentence {
  return new Sentence(sentence.texts, sentence.values, { ...sentence.form, style })
}

/** What a form does to a text last. */
export function finished(text: string, { width = 0, fold, style }: Form, door: Door): string {
  const filled = text + ' '.repeat(Math.max(0, width - columns(text)))
  const cell = fold ? fold(filled, door?.width ?? null) : filled
  return style && door?.paint && text !== '' ? door.paint(style, cell) : cell
}

/** A value as a cell of a table, which is filled up with blanks. */
export function cell(value: Value, width: number): Sentence {
  return new Sentence(['', ''], [value], { width })
}

/** Several, with what stands between them. */
export function series(values: readonly Value[], separator: string): Sentence {
  return new Sentence(values.length === 0 ? [''] : ['', ...values.slice(1).map(() => separator), ''], values)
}

/** Whether a value is the call of a tool, or holds one. */
export function isCallOf(value: Value, tool: ToolName): boolean {
  if (value instanceof Sentence) return value.values.some((part) => isCallOf(part, tool))
  return typeof value === 'object' && 'call' in value && value.call === tool
}

/** For the middle of a sentence; what is all capitals, such as a setting's name, stays. */
function uncapitalized(text: string): string {
  return text.replace(/^[A-Z](?=[a-z])/, (letter) => letter.toLowerCase())
}

/** What a terminal runs where a tool would be called. */
export function commandOf({ call, with: args }: NextCall, { command, profile }: NonNullable<Door>): string {
  const named = args.profile ?? profile
  const chosen = named === undefined ? '' : ` --profile ${named}`
  return `\`${command} ${COMMANDS[call]}${args.force ? ' --force' : ''}${chosen}\``
}

/** What a person types; a tool does not know how a person starts this program. */
export function lineOf({ typed }: Typed, door: Door): string {
  const named = door?.profile === undefined || typed.includes('--profile ')
  return `\`${door?.command ?? 'feishu-token-mcp'} ${typed}${named ? '' : ` --profile ${door.profile}`}\``
}

/** A tool with its arguments. */
export function toolOf({ call, with: args }: NextCall): string {
  const given = Object.entries(args).map(([name, value]) => `${name} ${JSON.stringify(value)}`)
  return given.length === 0 ? call : `${call} with ${given.join(' and ')}`
}

/** How many columns of a terminal a text takes: a Chinese character takes two. */
export function columns(text: string): number {
  return text.length + (text.match(/[\u2e80-\ua4cf\uf900-\ufaff\uff00-\uff60“”…]/g)?.length ?? 0)
}

/** The sentence in English. */
export function inEnglish({ texts, values, form }: Sentence, door: Door = null): string {
  if (!isSaid(form, door)) return ''
  let said = texts[0] ?? ''
  values.forEach((value, index) => {
    said += englishOf(value, door, said === '' || said.endsWith('. ')) + (texts[index + 1] ?? '')
  })
  if (form.open) said = said.replace(/\.$/, '')
  if (form.small) said = uncapitalized(said)
  return finished(said, form, door)
}

function englishOf(value: Value, door: Door, first: boolean): string {
  if (value instanceof Sentence) return inEnglish(value, door)
  if (typeof value !== 'object') return String(value)
  if ('en' in value) return value.en
  if ('typed' in value) return lineOf(value, door)
  const said = door ? `run ${commandOf(value, door)}` : `call ${toolOf(value)}`
  return first ? said.charAt(0).toUpperCase() + said.slice(1) : said
}

/** A sentence as plain JSON, for the store; {@link fromParts} reads it. */
export function partsOf({ texts, values, form }: Sentence): object {
  return {
    texts,
    values: values.map((value) => (value instanceof Sentence ? partsOf(value) : value)),
    form,
  }
}

/** What {@link partsOf} wrote, or a text of an older version. */
export function fromParts(json: unknown): Sentence {
  if (typeof json !== 'object' || json === null) return new Sentence(['', ''], [String(json)])
  const { texts, values, form } = json as { texts: string[]; values: unknown[]; form: Form }
  return new Sentence(
    texts,
    values.map((value) => (isParts(value) ? fromParts(value) : (value as Value))),
    form,
  )
}

function isParts(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'texts' in value
}
