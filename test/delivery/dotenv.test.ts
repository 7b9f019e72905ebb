import fc from 'fast-check'
import { expect, test } from 'vitest'
import { editDotenv } from '../../src/delivery/dotenv.ts'
import { applyEdit, isEditRefusal } from '../../src/delivery/edit.ts'
import { fixture } from './home.ts'
import { makeToken } from './token.ts'

const TOKEN = makeToken('new').accessToken

function edit(text: string): string {
  const found = editDotenv(text, 'T', TOKEN)
  return isEditRefusal(found)
    ? `refused: ${found.refused}`
    : applyEdit(text, found.spans).replace(TOKEN, '<new>')
}

test('a usual file changes only in the value', () => {
  const text = fixture('usual.env')
  for (const variant of [text, text.replaceAll('\n', '\r\n'), text.trimEnd()]) {
    const found = editDotenv(variant, 'USER_ACCESS_TOKEN', TOKEN)
    if (isEditRefusal(found)) throw new Error(String(found.refused))
    expect(found.value).toBe('OLD-TOKEN')
    expect(applyEdit(variant, found.spans)).toBe(variant.replace('OLD-TOKEN', TOKEN))
  }
})

test.each([
  ['T=old', 'T=<new>'],
  ['T=old\n', 'T=<new>\n'],
  ['T=old\r\nA=1\r\n', 'T=<new>\r\nA=1\r\n'],
  ['  export  T = old  \n', '  export  T = <new>  \n'],
  ['T="old"', 'T="<new>"'],
  ["T='old' # note", "T='<new>' # note"],
  ['T=`old`', 'T=`<new>`'],
  ['T="o\\"ld"\r\n', 'T="<new>"\r\n'],
  ['T=""', 'T="<new>"'],
  ['T=', 'T=<new>'],
  ['T=\nA=1', 'T=<new>\nA=1'],
  ['T= # note', 'T=<new> # note'],
  ['T=old # note', 'T=<new> # note'],
  ['T=two words', 'T=<new>'],
  ['#T=a\n # T=b\nT=old', '#T=a\n # T=b\nT=<new>'],
  ["A='x\nT=1\n'\nT=old", "A='x\nT=1\n'\nT=<new>"],
  ["A=it's\nT=old\nB=it's", "A=it's\nT=<new>\nB=it's"],
  ['A="x"y\nT=old', 'A="x"y\nT=<new>'],
  ['XT=1\nT_=2\nT.x=3\nT=old', 'XT=1\nT_=2\nT.x=3\nT=<new>'],
  ['not a line\nT=old', 'not a line\nT=<new>'],
])('%j becomes %j', (text, expected) => {
  expect(edit(text)).toBe(expected)
})

test.each([
  ['A=1', /no T/],
  ['T', /no T/],
  ['T: old', /no T/],
  ['#T=old', /no T/],
  ['T=a\nT=b', /more than once/],
  ['T=a\nexport T="b"', /more than once/],
  ['T="a\nb"', /disagree/],
  ['T=a#b', /disagree/],
  ['T=#b', /disagree/],
  ['T=a; echo b', /disagree/],
  ['T=a\\', /disagree/],
  ['T="a"b', /disagree/],
  ['T="a', /not closed/],
  ['A="x\nT=old', /not closed/],
  ['A="x\nT=old\nB="y"', /not closed/],
  ['T=$OTHER', /reference/],
  [`T="\${OTHER}"`, /reference/],
  ['T=$(cat token)', /reference/],
  ['A=1\rT=old\r', /carriage returns/],
])('%j is refused', (text, why) => {
  expect(edit(text)).toMatch(/^refused: /)
  expect(edit(text)).toMatch(why)
})

test('lines around the value never change', () => {
  const line = fc.oneof(
    fc.constantFrom(
      '',
      '# T=1',
      'A=1',
      "B='x y'",
      'C="#"',
      'export D=`z`',
      'E="a\nT=5\nb"',
      'XT=2',
      "F=it's",
    ),
    fc
      .string({ unit: fc.constantFrom('a', ' ', '=', '#', '.', '飞'), maxLength: 12 })
      .map((text) => `_${text}`),
  )
  const value = fc.constantFrom('T=OLD', 'T="OLD"', "T='OLD'", ' export T = OLD # x', 'T=`OLD`')
  fc.assert(
    fc.property(fc.array(line), value, fc.array(line), fc.boolean(), (before, target, after, crlf) => {
      const plain = [...before, target, ...after].join('\n')
      const text = crlf ? plain.replaceAll('\n', '\r\n') : plain
      expect(edit(text)).toBe(text.replace('OLD', '<new>'))
    }),
    { numRuns: 500 },
  )
})
