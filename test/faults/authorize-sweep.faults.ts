// An authorization, with every fault at a sample of its system calls; at all of them in sweeps.soak.ts.

import { describeSweep } from './sweep-suite.ts'
import { AUTHORIZE_SWEEP } from './sweeps.ts'

describeSweep({ ...AUTHORIZE_SWEEP, every: 16 })
