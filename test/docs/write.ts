// npm run docs: brings the samples and pictures of the documents up to date, from a real run of the built program.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { currentDocuments } from './samples.ts'

mkdirSync('docs/figures', { recursive: true })
for (const [path, text] of await currentDocuments()) {
  if (existsSync(path) && readFileSync(path, 'utf8') === text) continue
  writeFileSync(path, text)
  process.stdout.write(`${path} was brought up to date\n`)
}
