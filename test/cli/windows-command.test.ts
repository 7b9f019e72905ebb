import { expect, test } from 'vitest'
import { type Start, windowsStart } from '../../src/cli/windows-command.ts'
import { failureOf } from '../support/failure.ts'

const FILES = [
  'C:\\node\\node.exe',
  'C:\\node\\npx.cmd',
  'C:\\Program Files\\uv\\uvx.exe',
  'C:\\tools\\npx.exe',
  'D:\\jobs\\run.bat',
]
const ENVIRONMENT = {
  Path: 'C:\\Program Files\\uv;C:\\node',
  PATHEXT: '.COM;.EXE;.BAT;.CMD',
  COMSPEC: 'C:\\WINDOWS\\cmd.exe',
}

function start(words: [string, ...string[]], environment: Record<string, string> = ENVIRONMENT): Start {
  const exists = (path: string) => FILES.some((file) => file.toLowerCase() === path.toLowerCase())
  return windowsStart(words, { environment, exists, program: 'feishu-token-mcp' })
}

test('a program is started as it is', () => {
  for (const command of ['node', 'node.exe', 'uvx', 'C:\\node\\node.exe', 'not-there']) {
    expect(start([command, 'a b', '"'])).toEqual({ file: command, args: ['a b', '"'], verbatim: false })
  }
})

test('a script is run by cmd.exe, each word between quotes', () => {
  expect(start(['npx', '-y', '@larksuiteoapi/lark-mcp', 'mcp', 'a&b', 'C:\\dir\\'])).toEqual({
    file: 'C:\\WINDOWS\\cmd.exe',
    args: [
      '/d',
      '/v:off',
      '/s',
      '/c',
      '""C:\\node\\npx.CMD" "-y" "@larksuiteoapi/lark-mcp" "mcp" "a&b" "C:\\dir\\\\""',
    ],
    verbatim: true,
  })
  expect(start(['D:/jobs/run.bat'])).toMatchObject({ verbatim: true })
  expect(start(['npx.cmd'], { PATH: 'C:\\node' })).toMatchObject({ file: 'cmd.exe', verbatim: true })
})

test('the first file on the path counts, programs before scripts', () => {
  expect(start(['npx'], { ...ENVIRONMENT, Path: 'C:\\tools;C:\\node' })).toMatchObject({ verbatim: false })
  expect(start(['npx'], { ...ENVIRONMENT, Path: 'C:\\node;C:\\tools' })).toMatchObject({ verbatim: true })
})

test.each(['say "hi"', '%PATH%', 'two\nlines'])(
  'a script gets no argument that cmd.exe would change: %j',
  async (word) => {
    expect(await failureOf(async () => start(['npx', word]))).toMatchObject({ code: 'config_invalid' })
  },
)
