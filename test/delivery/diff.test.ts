import { expect, test } from 'vitest'
import { formatChange, formatCreation, formatDiff } from '../../src/delivery/diff.ts'

/** The diff of a text whose value stands between « and ». */
async function diffOf(marked: string): Promise<string[]> {
  const text = marked.replace(/[«»]/g, '')
  const [start, end] = [marked.indexOf('«'), marked.indexOf('»') - 1]
  const span = { start, end, text: 'NEW-TOKEN', secret: true }
  const edit = { place: 'p', value: text.slice(start, end), spans: [span], inArgv: false }
  const diff = await formatDiff({ path: '/f', text, edit, format: 'json' }, 'NEW-TOKEN')
  expect(diff).not.toMatch(/NEW-TOKEN|OLD|HUSH/)
  return diff.split('\n')
}

test('a change is shown at its line, with three lines before and behind', async () => {
  const lines = Array.from({ length: 9 }, (_, index) => `  "line${index + 1}": ${index + 1},`)
  lines[4] = '  "T": "«OLD»",'
  expect(await diffOf(['{', ...lines, '  "end": 0', '}', ''].join('\n'))).toEqual([
    '--- /f',
    '+++ /f',
    '@@ -3,7 +3,7 @@ p',
    '   "line2": 2,',
    '   "line3": 3,',
    '   "line4": 4,',
    '-  "T": "<present value>",',
    '+  "T": "<access token>",',
    '   "line6": 6,',
    '   "line7": 7,',
    '   "line8": 8,',
  ])
})

test('what is secret in the lines around it is left out', async () => {
  const diff = await diffOf(
    '{\n"env": { "APP_SECRET": "HUSH" },\n"T": "«OLD»", // token: HUSH\n"args": ["-s", "HUSH"]\n}\n',
  )
  expect(diff.slice(3)).toEqual([
    ' {',
    ' "env": { "APP_SECRET": "<left out>" },',
    '-"T": "<present value>", // token: <left out>',
    '+"T": "<access token>", // token: <left out>',
    ' "args": ["-s", "<left out>"]',
    ' }',
  ])
})

test('of a long line only what is around the change is shown', async () => {
  const rest = Array.from({ length: 500 }, (_, index) => `"k${index}":${index}`).join(',')
  const [, , , removed = '', added = ''] = await diffOf(`{${rest},"T":"«OLD»",${rest}}`)
  expect(removed).toMatch(/^-… .*"k499":499,"T":"<present value>","k0":0.* …$/)
  expect(added).toMatch(/^\+… .*"k499":499,"T":"<access token>","k0":0.* …$/)
  expect(removed.length).toBeLessThan(200)
})

test('line ends of Windows are no part of the lines shown', async () => {
  const diff = await diffOf('x = 1\r\nT = "«OLD»"\r\ny = 2\r\n')
  expect(diff.slice(3)).toEqual([' x = 1', '-T = "<present value>"', '+T = "<access token>"', ' y = 2'])
})

test('an empty value is shown as empty', async () => {
  expect(await diffOf('T = "«»"\n')).toContain('-T = ""')
})

test('a new file is shown whole but for the token', async () => {
  expect((await formatCreation('/f', '{\n  "access_token": "TOKEN"\n}\n', 'TOKEN')).split('\n')).toEqual([
    '--- /dev/null',
    '+++ /f',
    '@@ -0,0 +1,3 @@ new file',
    '+{',
    '+  "access_token": "<access token>"',
    '+}',
  ])
})

test('an entry that takes another’s place is shown on both sides without secrets', async () => {
  const before =
    '{ "mcpServers": {\n  "lark": { "command": "npx",\n    "args": ["lark-mcp", "-s", "SECRET", "-u", "OLD"] }\n} }\n'
  const after =
    '{ "mcpServers": {\n  "lark": { "command": "feishu-token-mcp",\n    "args": ["connect"] }\n} }\n'
  const diff = await formatChange({ path: '/f', before, after, format: 'json', title: 'lark' })
  expect(diff.split('\n').slice(2)).toEqual([
    '@@ -1,4 +1,4 @@ lark',
    ' { "mcpServers": {',
    '-  "lark": { "command": "npx",',
    '-    "args": ["lark-mcp", "-s", "<left out>", "-u", "<left out>"] }',
    '+  "lark": { "command": "feishu-token-mcp",',
    '+    "args": ["connect"] }',
    ' } }',
  ])
})
