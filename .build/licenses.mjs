// The licences of what a bundle holds, as one text.

import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'

const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i

/** The folder of the package that an input of esbuild belongs to, or null for a file of our own. */
function packageFolder(input) {
  return /^(.*\/)?node_modules\/(@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? null
}

/** The licence files that cover a file: those in its folder and in each one above it, up to the package's. */
function licenceFiles(root, input, folder) {
  const found = []
  for (let at = posix.dirname(input); at.length >= folder.length; at = posix.dirname(at)) {
    const names = readdirSync(join(root, at)).filter((name) => LICENCE_FILE.test(name))
    found.push(...names.map((name) => posix.join(at, name)))
  }
  return found
}

/**
 * The text of THIRD-PARTY-LICENSES.txt for the inputs of a build that have bytes in its outputs.
 * Throws if a package among them comes without the text of its licence.
 */
export function licencesOf(root, inputs) {
  const packages = new Map()
  for (const input of inputs) {
    const folder = packageFolder(input)
    if (folder === null) continue
    const files = packages.get(folder) ?? packages.set(folder, new Set()).get(folder)
    for (const file of licenceFiles(root, input, folder)) files.add(file)
  }
  const sections = [...packages].map(([folder, files]) => {
    const { name, version, license } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
    if (files.size === 0) throw new Error(`${name} ${version} is bundled and comes without a licence text`)
    // By the place within the package: where the packages lie changes nothing.
    const texts = [...files]
      .sort()
      .map((file) => [posix.relative(folder, file), readFileSync(join(root, file), 'utf8')])
      .map(([file, text]) => `--- ${file}\n\n${text.replaceAll('\r\n', '\n').trim()}\n`)
    return `${'='.repeat(80)}\n${name} ${version} (${license ?? 'see below'})\n\n${texts.join('\n')}`
  })
  const head = 'feishu-token-mcp contains these packages, whole or in part, each under its own licence.\n'
  return [head, ...sections.sort()].join('\n')
}
