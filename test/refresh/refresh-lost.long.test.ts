// Answers that are lost, and that take long to be: they never end, or are larger than any is read.

import { describeLost } from './lost.ts'

describeLost({
  'a giant body': { kind: 'bulk', bytes: 64 << 20, processed: true },
  'a gzip bomb': { kind: 'bulk', bytes: 256 << 20, gzip: true, processed: true },
  silence: { kind: 'silence', processed: true },
  'a byte a second': { kind: 'drip', everyMs: 1_000 },
})
