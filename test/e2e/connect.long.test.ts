// The forms in which a refused token is told that are rare.

import { test } from 'vitest'
import { expectOneRenewal } from '../support/connect.ts'

test.each([
  { status: 401, code: null },
  { status: 400, code: -32010 },
  { status: 403, code: -32011 },
  { status: 500, code: -32003 },
])('a refused token is renewed once for all calls that meet, in the form %j', expectOneRenewal)
