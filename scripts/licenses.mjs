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

/** Where there is no such file, the README may hold the text: from its last heading about the licence on. */
function licenceInReadme(root, folder) {
  const name = readdirSync(join(root, folder)).find((file) => /^readme/i.test(file))
  const text = name ? readFileSync(join(root, folder, name), 'utf8') : ''
  const [part] = /^#+ *licen[cs]e(?![\s\S]*^#+ *licen[cs]e)[\s\S]*/im.exec(text) ?? []
  return part?.includes('Permission is hereby granted') ? [[`${name}, from "License" on`, part]] : []
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
    // By the place within the package: where the packages lie changes nothing.
    const found = [...files]
      .sort()
      .map((file) => [posix.relative(folder, file), readFileSync(join(root, file), 'utf8')])
    if (found.length === 0) found.push(...licenceInReadme(root, folder))
    if (found.length === 0) throw new Error(`${name} ${version} is bundled and comes without a licence text`)
    const texts = found.map(([file, text]) => `--- ${file}\n\n${text.replaceAll('\r\n', '\n').trim()}\n`)
    return `${'='.repeat(80)}\n${name} ${version} (${license ?? 'see below'})\n\n${texts.join('\n')}`
  })
  const head = 'feishu-token-mcp contains these packages, whole or in part, each under its own licence.\n'
  return [head, ...sections.sort()].join('\n')
}
