import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { choose, confirm, createDialogue } from '../../src/cli/terminal.ts'
import { say } from '../../src/sentence.ts'
import { failureOf } from '../support/failure.ts'

function open() {
  const modes: boolean[] = []
  const said: string[] = []
  const input = Object.assign(new PassThrough(), { setRawMode: (raw: boolean) => modes.push(raw) })
  const stop = new AbortController()
  const dialogue = createDialogue({
    stdin: input,
    stderr: (text) => said.push(String(text)),
    closing: stop.signal,
    interrupt: () => stop.abort(new Error('interrupted')),
  })
  return { input, modes, said, stop, dialogue }
}

test('lines typed ahead answer the questions in turn', async () => {
  const { input, dialogue } = open()
  input.write(' one \ntw')
  input.write('o\r\nthree\n')
  expect(await dialogue.ask(say`1? `)).toBe('one')
  expect(await dialogue.ask(say`2? `)).toBe('two')
  expect(await dialogue.ask(say`3? `)).toBe('three')
})

test('a character that arrives in two pieces is whole', async () => {
  const { input, dialogue } = open()
  const bytes = Buffer.from('飞书\n')
  input.write(bytes.subarray(0, 2))
  input.write(bytes.subarray(2))
  expect(await dialogue.ask(say`? `)).toBe('飞书')
})

test('a secret is typed with the echo off, may be corrected, and is not said again', async () => {
  const { input, modes, said, dialogue } = open()
  const answer = dialogue.askSecret(say`Secret: `)
  expect(modes).toEqual([true])
  input.write('wrong\x15abx\x7fc\x1b[D\r')
  expect(await answer).toBe('abc')
  expect([modes, said.join('')]).toEqual([[true, false], 'Secret: \n'])
})

test('Ctrl-D ends a secret question, and the terminal is as it was', async () => {
  const { input, modes, dialogue } = open()
  const failure = failureOf(() => dialogue.askSecret(say`Secret: `))
  input.write('\x04')
  expect((await failure).code).toBe('config_invalid')
  expect(modes.at(-1)).toBe(false)
})

test('Ctrl-C at a secret question ends the program as the signal does, and the terminal is as it was', async () => {
  const { input, modes, stop, dialogue } = open()
  const unanswered = dialogue.askSecret(say`Secret: `)
  input.write('\x03')
  await expect(unanswered).rejects.toThrow('interrupted')
  expect([modes.at(-1), stop.signal.aborted]).toEqual([false, true])
})

test('the end of the input, and that of the program, end the open question and every later one', async () => {
  const first = open()
  const unanswered = failureOf(() => first.dialogue.ask(say`? `))
  first.input.end()
  expect((await unanswered).message).toContain('not answered')
  const second = open()
  const stopped = second.dialogue.ask(say`? `)
  second.stop.abort(new Error('interrupted'))
  await expect(stopped).rejects.toThrow('interrupted')
  await expect(second.dialogue.ask(say`? `)).rejects.toThrow('interrupted')
})

test('a choice is asked for until it is one; nothing is the first, and no yes is a no', async () => {
  const { input, said, dialogue } = open()
  input.write('x\nB\n\n\ny\nYES\nyo\n')
  expect(await choose(dialogue, say`Which?`, ['a', 'b'])).toBe('b')
  expect(said).toContain('Please answer a / b.\n')
  expect(await choose(dialogue, say`Which?`, ['a', 'b'])).toBe('a')
  expect(await confirm(dialogue, say`Sure?`)).toBe(false)
  expect(await confirm(dialogue, say`Sure?`)).toBe(true)
  expect(await confirm(dialogue, say`Sure?`)).toBe(true)
  expect(await confirm(dialogue, say`Sure?`)).toBe(false)
})
