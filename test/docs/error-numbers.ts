// Feishu's error numbers as docs/errors.md lists them, from the table that the program itself uses.

import { consoleUrl, FEISHU_ERRORS, feishuError } from '../../src/oauth/feishu-errors.ts'

/** Feishu shows these on its own page alone, and never redirects with them: no one but the person sees them. */
export const PAGE_ERRORS: readonly number[] = [20029, 20027, 20043, 20010, 20028, 20046, 20042, 20069, 20001]

const APP = { open: 'https://open.feishu.cn', appId: 'cli_your_app_id', scopes: [] }

export type Place = 'page' | 'answer' | 'gateway'

/** Where a number shows: Feishu's own page, the token endpoint and its like, or the gateway before the APIs. */
export function placeOf(number: number): Place {
  if (PAGE_ERRORS.includes(number)) return 'page'
  return number > 99_990_000 ? 'gateway' : 'answer'
}

function row(number: number): string {
  const error = feishuError(number)
  if (!error) throw new Error(`${number} is not in the table`)
  const { code, cause, remedy } = error
  const url = consoleUrl(error, APP)?.replace(/\?.*/, '')
  const cells = [
    number,
    `\`${code}\``,
    `${cause.en}<br>${cause.zh}`,
    `${remedy.en}<br>${remedy.zh}`,
    url ? `\`${url.replace(APP.open, '')}\`` : '',
  ]
  return `| ${cells.join(' | ')} |`
}

function table(place: Place): string {
  const head = '| number | our code | cause | what to do | console |\n| --- | --- | --- | --- | --- |'
  return [head, ...FEISHU_ERRORS.filter((number) => placeOf(number) === place).map(row)].join('\n')
}

/** Puts the table of a place between every `<!-- numbers: PLACE -->` and `<!-- end -->`. */
export function withNumbers(text: string): string {
  return text.replace(
    /(<!-- numbers: (page|answer|gateway) -->\n)[\s\S]*?(\n<!-- end -->)/g,
    (_, head: string, place: Place, end: string) => `${head}${table(place)}${end}`,
  )
}
