// The error dictionary: complete by the protocol's description, and the document says what the program says.

import { expect, test } from 'vitest'
import { consoleUrl, FEISHU_ERRORS, feishuError, PAGE_ERRORS } from '../../src/oauth/feishu-errors.ts'
import { API_ERRORS, PAGE_ERRORS as SANDBOX_PAGES, TOKEN_ERRORS } from '../feishu-sandbox/feishu-codes.ts'

const APP = { open: 'https://open.feishu.cn', appId: 'cli_your_app_id', scopes: [] }

/** Where a number shows: its own page, the token endpoint and its like, or the gateway before the APIs. */
function placeOf(number: number): string {
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
    placeOf(number),
    `\`${code}\``,
    `${cause.en}<br>${cause.zh}`,
    `${remedy.en}<br>${remedy.zh}`,
    url ? `\`${url.replace(APP.open, '')}\`` : '',
  ]
  return `| ${cells.join(' | ')} |`
}

const DOCUMENT = `# Feishu's error numbers

What Feishu answers or shows, what it means, and what to do about it. The tools, the commands, the page after the approval and this document take their words from one table, \`src/oauth/feishu-errors.ts\`.

*Where*: \`page\` is Feishu's own page in the browser, which nobody but the person sees; \`answer\` the token endpoint and what belongs to it; \`gateway\` stands before every API. *Console* is the page of the developer console where it is mended, behind \`https://open.feishu.cn\` or \`https://open.larksuite.com\`; the program fills in your App ID and the scopes.

| number | where | our code | cause | what to do | console |
| --- | --- | --- | --- | --- | --- |
${FEISHU_ERRORS.map(row).join('\n')}
`

test('the document is the table (with --update=all it is written anew)', async () => {
  await expect(DOCUMENT).toMatchFileSnapshot('../../docs/errors.md')
})

/** The check of an app's credentials in `setup` tells these two in its own words. */
const CREDENTIALS = [10003, 10014]

test.each([
  ['page', SANDBOX_PAGES],
  ['token endpoint', TOKEN_ERRORS],
  ['gateway', API_ERRORS],
])('every number of the %s is explained', (_, numbers) => {
  const unknown = Object.keys(numbers)
    .map(Number)
    .filter((number) => !CREDENTIALS.includes(number) && !FEISHU_ERRORS.includes(number))
  expect(unknown).toEqual([])
})

test('every number that Feishu shows on its page is among those that an answer explains', () => {
  const shown = Object.keys(SANDBOX_PAGES).map(Number)
  expect(shown.filter((number) => !PAGE_ERRORS.includes(number))).toEqual([])
})
