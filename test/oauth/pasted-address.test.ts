import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isLoopbackUrl } from '../../src/machine/address.ts'
import { pastedState, readPastedAddress } from '../../src/oauth/pasted-address.ts'
import { failureOf } from '../support/failure.ts'

const STATE = 'k3Zr0-state_of_this_authorization_request_x'
const expected = {
  state: STATE,
  issuer: 'https://accounts.feishu.cn',
  redirectUri: 'http://localhost:9000/callback',
  isLoopback: isLoopbackUrl,
}
const QUERY = `code=abc&state=${STATE}`
const ADDRESS = `http://localhost:9000/callback?${QUERY}`

describe('an address as it is pasted', () => {
  test.each([
    ['as it is', ADDRESS],
    ['with blanks and a line end', `  ${ADDRESS}\n`],
    ['in capitals, with a fragment', `HTTP://LOCALHOST:9000/callback?${QUERY}#/login`],
    ['in double quotes', `"${ADDRESS}"`],
    ['in single quotes', `'${ADDRESS}'`],
    ['in typographic quotes', `“${ADDRESS}”`],
    ['in angle brackets', `<${ADDRESS}>`],
    ['in backticks', `\`${ADDRESS}\``],
    ['in a block of code', `\`\`\`\n${ADDRESS}\n\`\`\``],
    ['in round brackets', `(${ADDRESS})`],
    ['with a closing period', `${ADDRESS}.`],
    ['with dots', `${ADDRESS}...`],
    ['with a Chinese full stop', `地址是：${ADDRESS}。`],
    ['as a Markdown link', `[${ADDRESS}](${ADDRESS})`],
    ['as a Markdown link with a text of its own', `[the page](${ADDRESS})`],
    ['in bold', `**${ADDRESS}**`],
    ['without its scheme', ADDRESS.slice('http://'.length)],
    ['from its path on', ADDRESS.slice('http://localhost:9000'.length)],
    ['only the query', `?${QUERY}`],
    ['only the parameters', QUERY],
    ['with &amp;', ADDRESS.replaceAll('&', '&amp;')],
    ['with &amp; made text twice', ADDRESS.replaceAll('&', '&amp;amp;')],
    ['with the escapes of a shell', ADDRESS.replace(/[?&=]/g, '\\$&')],
    ['cut by a line break', ADDRESS.replace('_of_', '_of\n_')],
    [
      'cut by line breaks with an indent',
      ADDRESS.replace('code', 'co\r\n    de').replace('_of_', '_\n\tof_'),
    ],
    ['cut in a quotation', ADDRESS.replace('_of_', '_of\n> _')],
    ['of 127.0.0.1', ADDRESS.replace('localhost', '127.0.0.1')],
    ['of [::1]', ADDRESS.replace('localhost', '[::1]')],
    ['with a zero-width blank', ADDRESS.replace('code=', '\u200bcode=').replace('&', '&\u2060')],
    ['in a sentence', `It says "This site can't be reached" at ${ADDRESS}, what now?`],
    ['in a sentence on lines of its own', `Here it is:\n\n${ADDRESS}\n\nThanks!`],
    [
      'beside the link that was opened',
      `https://accounts.feishu.cn/x?state=${STATE}&client_id=c then ${ADDRESS}`,
    ],
    ['beside that of another login', `${ADDRESS.replace(STATE, 'another')}\n${ADDRESS}`],
    ['twice', `${ADDRESS} ${ADDRESS}`],
    ['in two spellings', `${ADDRESS} ${ADDRESS.replace('localhost', '127.0.0.1')}`],
    ['in a text of the greatest length', ADDRESS.padEnd(8192)],
  ])('%s is read', (_form, text) => {
    expect(readPastedAddress(text, expected)).toEqual({ kind: 'code', code: 'abc' })
  })

  test('on a redirect URL of https is that one alone', () => {
    const there = { ...expected, redirectUri: 'https://dev.example/feishu/callback' }
    const address = `dev.example/feishu/callback?${QUERY}`
    expect(readPastedAddress(address, there)).toEqual({ kind: 'code', code: 'abc' })
    expect(() => readPastedAddress(address.replace('dev', 'evil'), there)).toThrow('it leads elsewhere')
  })

  test('that tells of a denial is read as one', () => {
    const denied = ADDRESS.replace('code=abc', 'error=access_denied')
    expect(readPastedAddress(`<${denied}>.`, expected)).toEqual({ kind: 'error', error: 'access_denied' })
  })
})

describe('a text', () => {
  test.each([
    ['nothing', '', 'no such address'],
    ['no address', 'I approved it', 'no such address'],
    ['another port', ADDRESS.replace('9000', '9001'), 'leads elsewhere'],
    ['a port that is none', ADDRESS.replace('9000', '90000'), 'leads elsewhere'],
    ['another path', ADDRESS.replace('/callback', '/callback/x'), 'leads elsewhere'],
    ['another host', ADDRESS.replace('localhost', 'evil.example'), 'leads elsewhere'],
    ['another scheme', ADDRESS.replace('http:', 'https:'), 'leads elsewhere'],
    ['a host that looks like ours', ADDRESS.replace(':9000', ':9000@evil.example'), 'leads elsewhere'],
    ['the answer in the fragment', ADDRESS.replace('?', '#'), 'no such address'],
    ['another state', ADDRESS.replace(STATE, 'other'), 'state is that of a different link'],
    ['a state that is cut', ADDRESS.slice(0, -4), 'state is that of a different link'],
    ['no state', ADDRESS.replace(/&.*/, ''), 'the state is missing'],
    ['no code', ADDRESS.replace('code=abc&', ''), 'its code is missing'],
    ['two codes in one address', `${ADDRESS}&code=def`, 'code is missing, or is there twice'],
    ['two answers', `${ADDRESS} ${ADDRESS.replace('abc', 'def')}`, 'two different answers'],
    ['a code that a line break cuts', `?state=${STATE}&code=abc\n  def`, 'two different answers'],
    ['too many characters', `${ADDRESS}&x=${'y'.repeat(8192)}`, 'too long'],
    [
      "Feishu's own page",
      'https://accounts.feishu.cn/open-apis/authen/v1/authorize?client_id=cli_a1',
      'no such address',
    ],
  ])(
    'with %s is refused with what is missing, and the error shows nothing of it',
    async (_what, text, why) => {
      const error = await failureOf(() => readPastedAddress(text, expected))
      expect(error).toMatchObject({ code: 'state_mismatch', recovery: 'reauthorize' })
      expect(error.message).toContain(why)
      // The text and the recovery say the same.
      expect(error.nextStep).toMatch(/still waiting: call start_authorization again/)
      expect(error.nextStep).toContain('http://localhost:9000/callback?')
      expect(`${error.message} ${error.nextStep}`).not.toMatch(/abc|def|other|k3Zr0|evil/)
    },
  )

  test('of any form is read or refused', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string({ unit: 'binary', maxLength: 20 }), fc.webUrl({ withQueryParameters: true })),
        (text) => {
          expect(() => readPastedAddress(text, expected)).toThrow('does not belong')
          expect(typeof pastedState(text)).toBe('string')
        },
      ),
    )
  })

  test('tells its state, unchecked, if it has exactly one', () => {
    expect(pastedState(' <http://localhost:9000/callback?state=s1&amp;code=c>. ')).toBe('s1')
    expect(pastedState('http://localhost:9000/callback?state=s1&state=s2')).toBe('')
    expect(pastedState('no address')).toBe('')
    expect(pastedState(`${' '.repeat(8192)}?state=s1`)).toBe('')
  })
})
