declare module 'fs-native-extensions' {
  const native: {
    /** Takes the kernel lock of an open file if it is free. */
    tryLock(fd: number): boolean
    /** Exchanges two files atomically. */
    swapSync(from: string, to: string): void
  }
  export default native
}
