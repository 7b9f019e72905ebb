// Every fault at every system call of a refresh and of an authorization.

import { describeSweep } from './sweep-suite.ts'
import { AUTHORIZE_SWEEP, REFRESH_SWEEP } from './sweeps.ts'

describeSweep({ ...REFRESH_SWEEP, every: 1 })
describeSweep({ ...AUTHORIZE_SWEEP, every: 1 })
