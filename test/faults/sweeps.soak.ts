// Every fault at every system call of a refresh, of an authorization, of deliveries and of commands.

import { describeSweep } from './sweep-suite.ts'
import { AUTHORIZE_SWEEP, COMMAND_SWEEPS, DELIVER_SWEEPS, REFRESH_SWEEP } from './sweeps.ts'

describeSweep({ ...REFRESH_SWEEP, every: 1 })
describeSweep({ ...AUTHORIZE_SWEEP, every: 1 })
for (const sweep of [...DELIVER_SWEEPS, ...COMMAND_SWEEPS]) describeSweep({ ...sweep, every: 1 })
