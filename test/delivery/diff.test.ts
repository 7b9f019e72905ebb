import { expect, test } from 'vitest'
import { formatCreation, formatDiff } from '../../src/delivery/diff.ts'

/** The line that is taken away from a text whose value stands between « and ». */
function removed(marked: string): string | undefined {
  const text = marked.replace(/[«»]/g, '')
  const span = { start: marked.indexOf('«'), end: marked.indexOf('»') - 1, text: 'TOKEN', secret: true }
  const lines = formatDiff('/f', text, { place: 'p', spans: [span] }).split('\n')
  expect(lines.slice(0, 2)).toEqual(['--- /f', '+++ /f'])
  expect(lines.join('\n')).not.toMatch(/TOKEN|OLD|SECRET/)
  return lines.find((line) => /^-[^-]/.test(line))
}

test.each([
  ['{\n  "T": "«OLD»",\n}', '-  "T": "<present value>",'],
  ['{\n  "T": "«OLD»" // SECRET\n}', '-  "T": "<present value>" …'],
  ['{"S":"SECRET","T":"«OLD»","U":"SECRET"}', '-… "T":"<present value>", …'],
  ['["-s", "SECRET", "-u", "«OLD»", "SECRET"]', '-… "-u", "<present value>", …'],
  ['["SECRET", "«--user-access-token=OLD»"]', '-… "<present value>"]'],
  ['[\n\t"«OLD»"\n]', '-\t"<present value>"'],
  ['x = 1\r\nexport T=«OLD»\r\n', '-export T=<present value>'],
  ['T = «»', '-T = '],
  ["e = { s = 'SECRET', t = '«OLD»' }", "-… t = '<present value>' }"],
])('%j shows only the value’s own name', (marked, line) => {
  expect(removed(marked)).toBe(line)
})

test('a new file is shown whole but for the token', () => {
  expect(formatCreation('/f', '{\n  "access_token": "TOKEN"\n}\n', 'TOKEN').split('\n')).toEqual([
    '--- /dev/null',
    '+++ /f',
    '@@ new file, mode 0600 @@',
    '+{',
    '+  "access_token": "<access token>"',
    '+}',
  ])
})
