// Commands, with every fault at a sample of their system calls; at all of them in sweeps.soak.ts.

import { describeSweep } from './sweep-suite.ts'
import { COMMAND_SWEEPS } from './sweeps.ts'

const EVERY = 16

for (const sweep of COMMAND_SWEEPS) describeSweep({ ...sweep, every: EVERY })
