/** The processor's time that work takes, milliseconds: whatever else the machine does adds nothing to it. */
export function effortMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1_000
}
