/** Real processes, sockets and a machine that others use: a limit only ends what hangs, it judges nothing. */
export const HANGS_MS = 120_000
