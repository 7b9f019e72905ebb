// A text of someone's config without what is secret in it, by what the text itself says: the names, options and
// headers that stand before a value, what a value looks like, and what we know to be a secret. Read in one way for
// every format, as a row of names, strings and brackets, so that it also holds for a file that does not parse. Line
// ends stay, so that line numbers do. Rather one value too many is masked than one too few.

/** What stands in a secret's place. */
export const MASK = '<left out>'
/** Ours, and what a diff puts in a token's place, are no secrets; nor is their first word, up to the space. */
const MASKED = /^<(?:left out>|present value>|access token>|left|present|access)$/

const SECRET_NAME =
  /secret|token|passw|pwd|passphrase|api[-_]?key|access[-_]?key|private[-_]?key|credential|auth(?!ors?$|ority)|cookie|session|signature|bearer|(?:^|[-_.])(?:uat|tat|pat|jwt|key|dsn)$/i
/** Names that only sound like it: `--token-mode`, `FEISHU_TOKEN_DIR`, `expires_in` beside a token, `max_tokens`. */
const OPEN_NAME =
  /(?:mode|dir|path|file|endpoint|json|type|source|scopes?|tools|method|timeout(?:_sec|_ms)?|_in|_at|limit|count)$|max_?tokens|^(?:FEISHU_)?AUTO_REFRESH$/i
/** lark-mcp's `-s` and `-u`, and what others write for a user with a password, a header or a variable. */
const SECRET_OPTION = /^(?:-[su]|--?[\w-]+)$/

const SHAPES = [
  /-----BEGIN [^-]+-----[\s\S]*?(?:-----END [^-]+-----|$)/g,
  // A JSON Web Token, Feishu's own tokens, and the prefixes by which well-known issuers mark theirs.
  /\beyJ[\w-]{8,}(?:\.[\w-]*){0,4}/g,
  /\b(?:u|ur|t)-[\w.~+/-]{16,}/g,
  /\b(?:sk|pk|rk|ghp|gho|ghs|ghu|github_pat|glpat|xox[a-z]|AKIA|npm|hf)[-_]?[A-Za-z0-9_-]{16,}/g,
  // Letters and digits in a row, longer than a word or an App ID.
  /\b(?!cli_)(?=[A-Za-z0-9]*\d)(?=[A-Za-z0-9]*[A-Za-z])[A-Za-z0-9]{20,}\b/g,
]
/**
 * `scheme://user:password@host`, and a secret's name in an address, an assignment, a header or a command line. Each
 * begins where a row of its characters does: tried at every one of them, a long row would take minutes.
 */
const USER_INFO = /((?<![\w+.-])[\w+.-]+:\/\/)[^\s/@"']+@/g
const ASSIGNED = /(?<![\w.-])[\w.-]+(?:\s*[=:]\s*|%3D)/gi
const VALUE = /((?:Bearer |Basic )?["'`]?)([^\s&"'`,;]+)/y
const COMMAND_OPTION = /((?:^|\s)-(?:[su]|-[\w-]+)[ =]+)([^\s"'-][^\s"']*)/g

/** Whether what has this name is a secret. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) && !OPEN_NAME.test(name)
}

function isSecretOption(word: string): boolean {
  if (!SECRET_OPTION.test(word)) return false
  return word === '-s' || word === '-u' || isSecretName(word.replace(/^-+/, ''))
}

/** The mask of a text: as many lines as it had. */
function maskOf(text: string): string {
  if (text === '' || MASKED.test(text)) return text
  return MASK + '\n'.repeat(text.split('\n').length - 1)
}

/** Masks the values of secret names in a text: `api_key=…` of an address, `Authorization: Bearer …` of a header. */
function maskAssigned(text: string): string {
  let result = ''
  let position = 0
  for (const { 0: assigned, index } of text.matchAll(ASSIGNED)) {
    const start = index + assigned.length
    const name = assigned.replace(/^-+|\s*[=:]\s*$|%3D$/gi, '')
    VALUE.lastIndex = start
    const [whole = '', lead = '', value = ''] = VALUE.exec(text) ?? []
    if (index < position || value === '' || MASKED.test(value) || !isSecretName(name)) continue
    result += text.slice(position, start) + lead + MASK
    position = start + whole.length
  }
  return result + text.slice(position)
}

/** Masks what within a text looks like a secret, or is named as one. */
function maskWithin(text: string): string {
  let result = maskAssigned(text.replace(USER_INFO, `$1${MASK}@`))
  result = result.replace(COMMAND_OPTION, (whole, option: string, value: string) =>
    isSecretOption(option.trim().replace(/=$/, '')) && !MASKED.test(value) ? `${option}${MASK}` : whole,
  )
  for (const shape of SHAPES) result = result.replace(shape, maskOf)
  return result
}

/** A comment, a string in any of the quotes, a mark, a word, or white space. */
const LEXEME =
  /\/\*[\s\S]*?\*\/|(?<![^\s,{}[\]])(?:\/\/|#)[^\n]*|"""[\s\S]*?"""|'''[\s\S]*?'''|"(?:\\[\s\S]|[^"\\\n])*"|'[^'\n]*'|[{}[\],:=\n]|[^\s{}[\],:="']+|[^\S\n]+|["']/g

/** Where the reading stands: the names and options before a value decide about it. */
type State = {
  /** For each open bracket, whether what is in it is secret whatever its name. */
  levels: boolean[]
  /** The latest text, that may turn out to be a name. */
  text: string
  /** The name whose value comes next. */
  name: string | null
  /** The option before, in a list. */
  option: string | null
}

function isSecretHere({ levels, name, option }: State): boolean {
  if (name !== null) return isSecretName(name)
  return (option !== null && isSecretOption(option)) || (levels.at(-1) ?? false)
}

function readMark(mark: string, state: State): void {
  if (mark === ':' || mark === '=') {
    state.name ??= state.text
    return
  }
  // In a list the name before it decides; in a table each name speaks for itself: a server may be called feishu-token.
  if (mark === '[') state.levels.push(isSecretHere(state))
  if (mark === '{') state.levels.push(state.name === null && isSecretHere(state))
  if (mark === '}' || mark === ']') state.levels.pop()
  if (mark !== ',' && mark !== '\n') state.option = null
  // A name's value may follow on the next line, but after a value the next line is something else.
  if (mark !== '\n' || state.name === null) state.name = null
  if (mark === ',' || mark === '{' || mark === '[') state.text = ''
}

/** Masks a string or a word; `isName`: it is one itself, because its value follows. */
function readText(lexeme: string, isName: boolean, state: State): string {
  const quote = /^(?:"""|'''|"|')/.exec(lexeme)?.[0] ?? ''
  const inner = lexeme.slice(quote.length, lexeme.length - quote.length)
  state.text = inner
  if (isName) return maskShapes(lexeme)
  const secret = isSecretHere(state) && !/^(?:true|false|null)$/.test(lexeme)
  state.name = null
  state.option = inner
  return quote + (secret ? maskOf(inner) : maskWithin(inner)) + quote
}

function maskShapes(text: string): string {
  return SHAPES.reduce((result, shape) => result.replace(shape, maskOf), text)
}

const DOTENV_LINE =
  /^[ \t]*#.*$|^([ \t]*(?:export[ \t]+)?)([\w.-]+)([ \t]*=[ \t]*)("(?:\\[\s\S]|[^"\\])*"|'[^']*'|[^\n\r]*)/gm

/** In a dotenv file a value goes to the end of its line, or of its quotes. */
function maskDotenv(text: string): string {
  return text.replace(
    DOTENV_LINE,
    (line, lead: string | undefined, name: string, mark: string, value = '') => {
      if (lead === undefined) return maskWithin(line)
      const [, quote = '', inner = ''] = /^(["']?)([\s\S]*?)\1$/.exec(value) ?? []
      const shown = isSecretName(name) ? maskOf(inner) : maskWithin(inner)
      return `${lead}${name}${mark}${quote}${shown}${quote}`
    },
  )
}

const NAME_MARK = /[^\S\n]*[:=]/y

function isFollowedByMark(text: string, position: number): boolean {
  NAME_MARK.lastIndex = position
  return NAME_MARK.test(text)
}

/**
 * The text of a client's config, or of a dotenv file, without the secrets in it: for a diff and for a backup.
 *
 * @param known secrets that are left out wherever they stand
 */
export function maskSecrets(text: string, format: string, known: readonly string[] = []): string {
  let rest = text
  for (const secret of known) if (secret !== '') rest = rest.replaceAll(secret, MASK)
  if (format === 'dotenv') return maskDotenv(rest)
  const state: State = { levels: [], text: '', name: null, option: null }
  return rest.replace(LEXEME, (lexeme, offset: number) => {
    if (/^[^\S\n]/.test(lexeme)) return lexeme
    if (/^[{}[\],:=\n]/.test(lexeme)) {
      readMark(lexeme, state)
      return lexeme
    }
    if (/^(?:\/\*|\/\/|#)/.test(lexeme)) return maskWithin(lexeme)
    return readText(lexeme, state.name === null && isFollowedByMark(rest, offset + lexeme.length), state)
  })
}
