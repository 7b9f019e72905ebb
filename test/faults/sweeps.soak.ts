// Every fault at every system call of a refresh, of an authorization and of deliveries.

import { describeSweep } from './sweep-suite.ts'
import { AUTHORIZE_SWEEP, DELIVER_SWEEPS, REFRESH_SWEEP } from './sweeps.ts'

describeSweep({ ...REFRESH_SWEEP, every: 1 })
describeSweep({ ...AUTHORIZE_SWEEP, every: 1 })
for (const sweep of DELIVER_SWEEPS) describeSweep({ ...sweep, every: 1 })
