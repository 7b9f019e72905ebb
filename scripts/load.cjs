// What follows the guard in dist/main.js: loads the program's files, each with the code that V8 made of it when the
// program was built (scripts/code-cache.mjs). A start takes a fifth less time so. V8 compiles anew what another Node, or
// one with other flags, has made; so is all of a package from npm, which brings no such code.

;(() => {
  const { readFileSync, statSync } = require('node:fs')
  const { dirname, join } = require('node:path')
  const { Script } = require('node:vm')
  const cache = join(__dirname, 'cache', `${process.version}-${process.platform}-${process.arch}`)
  const modules = new Map()

  const codeOf = (file, source) => {
    try {
      // The build ends each file with a name for its content. One that was changed by hand since is compiled.
      const code = join(cache, source.slice(source.lastIndexOf('//') + 2).trim())
      return statSync(code).mtimeMs < statSync(file).mtimeMs ? undefined : readFileSync(code)
    } catch {
      return undefined
    }
  }

  const load = (file) => {
    const known = modules.get(file)
    if (known) return known.exports
    let source
    try {
      source = readFileSync(file, 'utf8')
    } catch (error) {
      // Removed, as by an update: Node says so with a code of its own.
      require.resolve(file)
      throw error
    }
    const script = new Script(`(function(exports,require,module,__filename,__dirname){${source}})`, {
      filename: file,
      cachedData: codeOf(file, source),
    })
    const module = { exports: {} }
    const folder = dirname(file)
    const requireFrom = (id) => (id.startsWith('./') ? load(join(folder, id)) : require(id))
    modules.set(file, module)
    try {
      script.runInThisContext().call(module.exports, module.exports, requireFrom, module, file, folder)
    } catch (error) {
      modules.delete(file)
      throw error
    }
    return module.exports
  }

  load(join(__dirname, 'start.js'))
})()
