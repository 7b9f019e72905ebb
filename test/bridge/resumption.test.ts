import { expect, test } from 'vitest'
import { Resumption, TRIES } from '../../src/bridge/resumption.ts'

/** Calls whose streams have ended, each after its event. */
function ended(...events: (string | null)[]): { resumption: Resumption; failed: number[] } {
  const failed: number[] = []
  const resumption = new Resumption((id) => failed.push(id))
  for (const [id, event] of events.entries()) {
    resumption.begin(id)
    if (event !== null) resumption.note(id, event)
  }
  for (const id of events.keys()) resumption.end(id)
  return { resumption, failed }
}

test('a call whose stream ends before any event ends with it', () => {
  expect(ended(null, 'a', null).failed).toEqual([0, 2])
})

test('a call ends when taking up its stream has failed often enough', () => {
  const { resumption, failed } = ended('a', 'b')
  for (let tries = 1; tries < TRIES; tries += 1) resumption.failAfter('a', 1)
  expect(failed).toEqual([])
  resumption.failAfter('a', 1)
  expect(failed).toEqual([0])
  resumption.failAfter('b', TRIES)
  expect(failed).toEqual([0, 1])
})

test('calls whose streams stand at events of one name end together, when none is asked for any more', () => {
  const { resumption, failed } = ended('a', 'a')
  resumption.failAfter('a', TRIES)
  expect(failed).toEqual([])
  resumption.failAfter('a', TRIES)
  expect(failed).toEqual([0, 1])
})

test('what failed is forgotten where the call has gone on to another event', () => {
  const { resumption, failed } = ended('a')
  resumption.failAfter('a', 1)
  resumption.note(0, 'b')
  resumption.begin(1)
  resumption.note(1, 'a')
  resumption.end(1)
  resumption.failAfter('a', TRIES - 1)
  expect(failed).toEqual([])
  resumption.failAfter('b', TRIES)
  expect(failed).toEqual([0])
})

test('where nothing is taken up any more, all calls end whose streams have ended or end then', () => {
  const { resumption, failed } = ended('a', 'b')
  resumption.begin(2)
  resumption.note(2, 'c')
  resumption.giveUp()
  expect(failed).toEqual([0, 1])
  expect(resumption.isOpen(2)).toBe(true)
  resumption.end(2)
  expect(failed).toEqual([0, 1, 2])
  expect(resumption.isOpen(2)).toBe(false)
})
