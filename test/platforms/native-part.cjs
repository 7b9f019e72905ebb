// node -r native-part.cjs dist/main.js: a Node that does not load native parts, or, with LOCK_ERRNO, a file system whose
// locks fail with it.

const { dlopen } = process
process.dlopen = (module, path, ...rest) => {
  const code = process.env.LOCK_ERRNO
  if (!code)
    throw Object.assign(new Error(`${path}: code signature not valid`), { code: 'ERR_DLOPEN_FAILED' })
  dlopen(module, path, ...rest)
  module.exports = {
    ...module.exports,
    tryLock() {
      throw Object.assign(new Error(code), { code })
    },
  }
}
