import { expect, test } from 'vitest'
import { readArgv } from '../../src/cli/argv.ts'
import { nearest } from '../../src/cli/usage.ts'

test('a command line is read once: command, words, options, and what stands behind --', () => {
  expect(
    readArgv([
      '--profile',
      'work',
      'connect',
      'https://a.example/mcp',
      '--header=A=b',
      '--header',
      'C=d',
      '-h',
    ]),
  ).toEqual({
    name: 'connect',
    operands: ['https://a.example/mcp'],
    behind: null,
    options: { profile: 'work', header: ['A=b', 'C=d'], help: true },
    misuse: null,
  })
  expect(readArgv(['exec', '--env', 'A=b', '--', 'ls', '--json', '--', '-x'])).toEqual({
    name: 'exec',
    operands: [],
    behind: ['ls', '--json', '--', '-x'],
    options: { env: ['A=b'] },
    misuse: null,
  })
  const words = { behind: null, options: {}, misuse: null }
  expect(readArgv(['profile', 'rename', 'a', 'b'])).toEqual({
    name: 'profile',
    operands: ['rename', 'a', 'b'],
    ...words,
  })
  expect(readArgv(['profile', 'rename', 'a', 'b', '--'])).toMatchObject({ operands: ['rename', 'a', 'b'] })
  expect(readArgv([])).toEqual({ name: undefined, operands: [], ...words })
  expect(readArgv(['import', '-'])).toMatchObject({ operands: ['-'], misuse: null })
})

test.each([
  [['status', '--verfy'], { kind: 'unknown', option: '--verfy' }],
  [['status', '-x'], { kind: 'unknown', option: '-x' }],
  [['status', '--toString'], { kind: 'unknown', option: '--toString' }],
  [['login', '--scope'], { kind: 'bare', option: '--scope' }],
  [['login', '--scope', '--json'], { kind: 'bare', option: '--scope' }],
  [['status', '--verify=yes'], { kind: 'filled', option: '--verify' }],
  [['login', '--scope=--odd'], null],
  [['exec', '--', 'ls', '--verfy'], null],
])('%j: %j', (args, misuse) => {
  expect(readArgv(args).misuse).toEqual(misuse)
})

test('an option that took --json for its value does not take the form of the answer with it', () => {
  expect(readArgv(['status', '--profile', '--json']).options.json).toBe(true)
  expect(readArgv(['status', '--profile', 'a', '--', '--json']).options.json).toBeUndefined()
})

test.each([
  ['stauts', 'status'],
  ['stat', 'status'],
  ['lgin', 'login'],
  ['refesh', 'refresh'],
  ['s', null],
  ['sto', 'store'],
  ['delete', null],
  ['', null],
])('%j was meant to be %j', (word, meant) => {
  const names = ['setup', 'login', 'status', 'refresh', 'token', 'logout', 'store', 'doctor', 'deliver']
  expect(nearest(word, names)).toBe(meant)
})
