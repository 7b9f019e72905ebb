// Bundles the program into a few files that load each other, each module in exactly one of them. Node compiles a file
// whole before it runs a line of it, so what a start does not need must lie in another file; and each file costs too,
// so one a module would be slower still.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { basename, join, relative, sep } from 'node:path'
import { build } from 'esbuild'

/**
 * @typedef {{ file: string, entries: string[], called?: string[] }} Part `entries` and all that they import lie in it, or
 * in an earlier one. So do the modules of `called`: functions alone, of which the first call loads the part.
 */

/** The modules of the program: path → what it imports, at once and later. */
async function readModules(options, entry, called) {
  const { metafile } = await build({ ...options, entryPoints: [entry], outdir: 'unused', write: false })
  const own = ({ external }) => !external
  return new Map(
    Object.entries(metafile.inputs).map(([path, { imports }]) => [
      path,
      {
        static: imports.filter(own).flatMap((item) => (isLater(item, called) ? [] : [item.path])),
        dynamic: imports.filter(own).flatMap((item) => (isLater(item, called) ? [item.path] : [])),
      },
    ]),
  )
}

const isLater = ({ kind, path }, called) => kind === 'dynamic-import' || called.has(path)

/** Module → the names that it exports. */
async function readExports(modules) {
  const { metafile } = await build({
    entryPoints: [...modules.keys()],
    outdir: 'unused',
    format: 'esm',
    metafile: true,
    write: false,
  })
  return new Map(Object.values(metafile.outputs).map(({ entryPoint, exports }) => [entryPoint, exports]))
}

/** Module → the index of its part: the first whose entries reach it without waiting; else the last. */
function assign(modules, parts) {
  const partOf = new Map()
  const visit = (path, part) => {
    if (partOf.has(path)) return
    if (!modules.has(path)) throw new Error(`${path} is no module of the program`)
    partOf.set(path, part)
    for (const next of modules.get(path).static) visit(next, part)
  }
  for (const [index, { entries, called = [] }] of parts.entries())
    for (const entry of [...entries, ...called]) visit(entry, index)
  for (const path of modules.keys()) visit(path, parts.length - 1)
  return partOf
}

/** The last part holds what no start needs. */
const isRest = (parts, index) => index === parts.length - 1

/** Names what the parts were built from. */
function nameBuild(root, modules) {
  const hash = createHash('sha256')
  for (const path of [...modules.keys()].sort()) hash.update(readFileSync(join(root, path)))
  return `build-${hash.digest('hex').slice(0, 12)}`
}

/**
 * A file that gives its modules out by name, and runs `start` if it has one. To parts of another build it gives none: an
 * update replaces the files of a program that runs, and half of each must not spend a refresh token.
 *
 * Its modules run at once and share one scope, which costs a start the least; those of the `rest` each run when they are
 * first asked for.
 */
function contentsOf(names, exportsOf, start, buildName, rest) {
  const imports = start ? [`import ${JSON.stringify(`./${start}`)}`] : []
  const rows = names.map((name, at) => {
    const path = JSON.stringify(`./${name}`)
    if (rest) return `  ${JSON.stringify(name)}: () => require(${path}),`
    const pairs = exportsOf.get(name).map((item) => [item, `m${at}_${item}`])
    imports.push(`import { ${pairs.map((pair) => pair.join(' as ')).join(', ')} } from ${path}`)
    return `  ${JSON.stringify(name)}: () => ({ ${pairs.map((pair) => pair.join(': ')).join(', ')} }),`
  })
  return `${imports.join('\n')}
const modules = {\n${rows.join('\n')}\n}
exports.give = (name, build) => {
  if (build === ${JSON.stringify(buildName)}) return modules[name]()
  throw Object.assign(new Error(build), { code: 'OTHER_BUILD' })
}\n`
}

/** Marks a module that a part asks for while it runs, and one of which it calls functions. */
const LATER = '?later'
const CALLED = '?called'

/** Functions that load their part and are the module's own from then on. */
function callsOf(path, names, given) {
  const source = readFileSync(path, 'utf8')
  const calls = names.map((name) => {
    if (!new RegExp(`^export (async )?function ${name}\\b`, 'm').test(source))
      throw new Error(`${path} exports ${name}, which is no function`)
    return `export const ${name} = (...args) => load().${name}(...args)`
  })
  return `let given\nconst load = () => given ??= ${given}\n${calls.join('\n')}`
}

/**
 * Sends imports of modules that lie in another part there, and those that a part asks for while it runs: esbuild would
 * put each module that it can reach so, and all that these import, in a function of its own. Each name is taken out once
 * a part, for the like reason.
 */
function otherParts(root, parts, partOf, exportsOf, buildName, index, called) {
  const namespace = 'other-part'
  return {
    name: namespace,
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: /^\.{1,2}\// }, async ({ path, resolveDir, kind, importer, pluginData }) => {
        if (pluginData === namespace) return null
        const resolved = await resolve(path, { resolveDir, kind, importer, pluginData: namespace })
        const name = relative(root, resolved.path).replaceAll(sep, '/')
        const part = partOf.get(name)
        const later = kind === 'dynamic-import'
        if (part === undefined || (part === index && !(later && !isRest(parts, part)))) return null
        return { path: name, namespace, suffix: later ? LATER : called.has(name) ? CALLED : '' }
      })
      onLoad({ filter: /.*/, namespace }, ({ path, suffix }) => {
        const file = JSON.stringify(`./${basename(parts[partOf.get(path)].file)}`)
        const given = `require(${file}).give(${JSON.stringify(path)}, ${JSON.stringify(buildName)})`
        const names = exportsOf.get(path)
        if (suffix === CALLED) return { contents: callsOf(join(root, path), names, given) }
        return {
          contents:
            suffix === LATER
              ? `module.exports = ${given}`
              : `export const { ${names.join(', ')} } = ${given}`,
        }
      })
      onResolve({ filter: /^\.\/[a-z]+\.js$/, namespace }, ({ path }) => ({ path, external: true }))
    },
  }
}

/**
 * Bundles the program that starts with `entry`, the first part's first module.
 *
 * @param {import('esbuild').BuildOptions} options of every bundle
 * @param {Part[]} parts what no entry reaches lies in the last
 */
export async function buildParts(options, entry, parts) {
  const called = new Set(parts.flatMap((part) => part.called ?? []))
  const modules = await readModules(options, entry, called)
  const partOf = assign(modules, parts)
  const exportsOf = await readExports(modules)
  const buildName = nameBuild(options.absWorkingDir, modules)
  const crossing = new Set()
  for (const [path, { static: now, dynamic: later }] of modules) {
    for (const target of now) if (partOf.get(target) !== partOf.get(path)) crossing.add(target)
    for (const target of later) crossing.add(target)
  }
  return Promise.all(
    parts.map(({ file }, index) =>
      build({
        ...options,
        stdin: {
          contents: contentsOf(
            [...crossing].filter((path) => partOf.get(path) === index).sort(),
            exportsOf,
            partOf.get(entry) === index ? entry : null,
            buildName,
            isRest(parts, index),
          ),
          resolveDir: options.absWorkingDir,
          sourcefile: basename(file),
        },
        outfile: file,
        plugins: [
          otherParts(options.absWorkingDir, parts, partOf, exportsOf, buildName, index, called),
          ...(options.plugins ?? []),
        ],
      }),
    ),
  )
}
