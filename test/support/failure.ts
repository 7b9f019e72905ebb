import { CodedError } from '../../src/errors.ts'

/** The error that the work ends with; anything but one of ours fails the test. */
export async function failureOf(work: () => unknown): Promise<CodedError> {
  try {
    await work()
  } catch (error) {
    if (error instanceof CodedError) return error
    throw error
  }
  throw new Error('it did not fail')
}
