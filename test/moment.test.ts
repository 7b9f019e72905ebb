import { readdirSync, readFileSync } from 'node:fs'
import { join, sep } from 'node:path'
import { expect, test } from 'vitest'
import { inChinese } from '../src/chinese/sentences.ts'
import { localTime, moment } from '../src/moment.ts'
import { inEnglish, say } from '../src/sentence.ts'

const AT = Date.parse('2026-03-01T10:54:00.250Z')
const NOW = Date.parse('2026-03-01T09:00:00Z')
const DOOR = { command: 'x', profile: undefined }

test('tools say an instant in UTC, a terminal in local time and how far off it is', () => {
  const sentence = say`A person must authorize again by ${moment(AT, NOW)} unless it is refreshed before.`
  const local = localTime('2026-03-01T10:54:00Z')
  expect(String(sentence)).toContain('again by 2026-03-01T10:54:00Z unless')
  expect(inEnglish(sentence, DOOR)).toContain(`again by ${local} (in 1 h 54 min) unless`)
  expect(inChinese(sentence, null)).toContain('需在 2026-03-01T10:54:00Z 前')
  expect(inChinese(sentence, DOOR)).toContain(`需在 ${local}（还有 1 小时 54 分钟）前`)
})

test('what has passed, or is told without the time that it is now, is not far off', () => {
  for (const told of [moment(NOW, AT), moment(NOW)]) {
    expect(inEnglish(told, DOOR)).toBe(localTime('2026-03-01T09:00:00Z'))
    expect(String(told)).toBe('2026-03-01T09:00:00Z')
  }
})

/** What programs read, names of files, and the page, which says the zone. */
const FOR_PROGRAMS = [
  'answers.ts',
  'delivery/backup.ts',
  'delivery/token-fields.ts',
  'loopback/page.ts',
  'machine/activity.ts',
  'store/files/profile-files.ts',
]

test('no other source makes UTC of an instant, and none puts it into a sentence', () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )
  const texts = files.map((file) => [file, readFileSync(join('src', file), 'utf8')] as const)
  const inUtc = texts.filter(([, text]) => text.includes('toISOString')).map(([file]) => file)
  expect(inUtc.map((file) => file.replaceAll(sep, '/')).sort()).toEqual(FOR_PROGRAMS)
  expect(texts.filter(([, text]) => /say`[^`]*\$\{toTime\(/.test(text)).map(([file]) => file)).toEqual([])
})
