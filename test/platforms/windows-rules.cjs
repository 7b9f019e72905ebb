// node -r windows-rules.cjs dist/main.js: the program takes Linux for Windows, and Linux keeps two rules of Windows.
// - A locked range cannot be read or written through another handle, of the same process either (EBUSY).
// - Nothing is renamed onto a file that anybody has open (EPERM).
// Under Wine, which keeps the second rule alone, it adds the first.

const fs = require('node:fs')
const { syncBuiltinESMExports } = require('node:module')

const LINUX = process.platform === 'linux'
/** A lock on this byte, which no program takes, says that a file is open. */
const OPEN_MARK = 2 ** 50
/** Descriptor → path, and whether it has the lock. */
const files = new Map()
const native = require(
  `fs-native-extensions/prebuilds/${process.platform}-${process.arch}/fs-native-extensions.node`,
)

if (LINUX) Object.defineProperty(process, 'platform', { value: 'win32' })

const { dlopen } = process
process.dlopen = (module, path, ...rest) => {
  dlopen(module, LINUX ? path.replaceAll('win32-', 'linux-') : path, ...rest)
  if (!path.includes('fs-native-extensions')) return
  const { exports } = module
  module.exports = {
    ...exports,
    tryLock(fd, ...range) {
      exports.tryLock(fd, ...range)
      files.get(fd).holds = true
    },
  }
}

const { openSync, closeSync, readSync, writeSync, renameSync } = fs

const lockable = (fd, offset, length, exclusive) => {
  try {
    native.tryLock(fd, offset, length, exclusive)
    return true
  } catch (error) {
    return error.code !== 'EAGAIN'
  }
}

/** Asks through a handle of its own: a lock of this very process counts too. */
function isFree(path, offset, length, exclusive) {
  let probe
  try {
    probe = openSync(path, 'r+')
  } catch {
    return true
  }
  const free = lockable(probe, offset, length, exclusive)
  closeSync(probe)
  return free
}

function failure(code, syscall, path) {
  return Object.assign(new Error(`${code}: ${syscall} '${path}'`), { code, syscall, path })
}

fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest)
  files.set(fd, { path, holds: false })
  if (LINUX) lockable(fd, OPEN_MARK, 1, false)
  return fd
}

fs.closeSync = (fd) => {
  files.delete(fd)
  closeSync(fd)
}

fs.readSync = (fd, buffer, offset, length, position) => {
  const file = files.get(fd)
  if (file && !file.holds && !isFree(file.path, position ?? 0, length, false))
    throw failure('EBUSY', 'read', file.path)
  return readSync(fd, buffer, offset, length, position)
}

fs.writeSync = (fd, buffer, offset, length, position) => {
  const file = files.get(fd)
  if (file && !file.holds && !isFree(file.path, position ?? 0, length, true))
    throw failure('EBUSY', 'write', file.path)
  return writeSync(fd, buffer, offset, length, position)
}

fs.renameSync = (from, to) => {
  if (LINUX && fs.existsSync(to) && !isFree(to, OPEN_MARK, 1, true)) throw failure('EPERM', 'rename', to)
  renameSync(from, to)
}

syncBuiltinESMExports()
