// Deliveries, with every fault at a sample of their system calls; at all of them in sweeps.soak.ts.

import { describeSweep } from './sweep-suite.ts'
import { DELIVER_SWEEPS } from './sweeps.ts'

const EVERY = 8

for (const sweep of DELIVER_SWEEPS) describeSweep({ ...sweep, every: EVERY })
