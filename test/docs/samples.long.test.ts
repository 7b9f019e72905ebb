import { expect, test } from 'vitest'
import { currentDocuments } from './samples.ts'

test('a second run of the samples says the same', async () => {
  const current = await currentDocuments()
  expect(await currentDocuments()).toEqual(current)
})
