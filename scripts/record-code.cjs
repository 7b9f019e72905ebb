// Preloaded by the build: writes down the code of the files that scripts/load.cjs loads, where that looks for it.

const { mkdirSync, renameSync, writeFileSync } = require('node:fs')
const { dirname, join } = require('node:path')
const vm = require('node:vm')

const scripts = []
vm.Script = class extends vm.Script {
  constructor(source, options) {
    super(source, options)
    scripts.push([source.slice(source.lastIndexOf('//') + 2).replace(/\s.*$/s, ''), this])
  }
}

process.on('exit', () => {
  const dist = dirname(process.argv[1])
  const folder = join(dist, 'cache', `${process.version}-${process.platform}-${process.arch}`)
  mkdirSync(folder, { recursive: true })
  for (const [name, script] of scripts) {
    const made = join(folder, `${name}.${process.pid}`)
    writeFileSync(made, script.createCachedData(), { flush: true })
    renameSync(made, join(folder, name))
  }
})
