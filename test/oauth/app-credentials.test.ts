import { expect, test } from 'vitest'
import { findAppId, secretProblem } from '../../src/oauth/app-credentials.ts'

const ID = 'cli_a1b2c3d4e5f6a7b8'
const SECRET = 'dskLLdkasdjlasdKK7Qh2nWv5xYzAbCd'

test.each([
  ID,
  `https://open.feishu.cn/app/${ID}/baseinfo`,
  `https://open.larksuite.com/app/${ID}?lang=en`,
  `open.feishu.cn/app/${ID}/`,
  `https://open.feishu.cn/app/${ID}/auth?q=${ID}`,
])('the App ID is found in %s', (text) => {
  expect(findAppId(text)).toBe(ID)
})

test.each([
  SECRET,
  '',
  'cli_',
  'a1b2c3d4e5f6a7b8',
  `x${ID}`,
  `${ID}-x`,
  `${ID} ${SECRET}`,
  `https://open.feishu.cn/app/${ID}/cli_other`,
  'https://open.feishu.cn/app',
])('there is no App ID in %j', (text) => {
  expect(findAppId(text)).toBeNull()
})

test.each<[string, RegExp]>([
  [Buffer.from(`\ufeff${SECRET}`, 'utf16le').toString(), /UTF-16/],
  [Buffer.from(SECRET, 'utf16le').toString(), /UTF-16/],
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: what nothing has replaced
  ['${FEISHU_APP_SECRET}', /reference/],
  ['abc${SECRET}def', /reference/],
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: so far
  ['$FEISHU_APP_SECRET', /reference/],
  ['%FEISHU_APP_SECRET%', /reference/],
  [`FEISHU_APP_SECRET=${SECRET}`, /name with its value/],
  [`export APP_SECRET="${SECRET}"`, /name with its value/],
  [`"app_secret": "${SECRET}"`, /name with its value/],
  [`App-Secret: ${SECRET}`, /name with its value/],
  [`"${SECRET}"`, /quotes/],
  [`'${SECRET}`, /quotes/],
  [`“${SECRET}”`, /quotes/],
  [ID, /an App ID/],
  ['<your app secret>', /placeholder/],
  ['your_app_secret', /placeholder/],
  ['YOUR-SECRET-HERE', /placeholder/],
  ['xxxxxxxxxxxxxxxx', /placeholder/],
  ['****************', /placeholder/],
  ['••••••••', /placeholder/],
  ['app_secret', /placeholder/],
  ['你的AppSecret', /placeholder/],
  ['密钥', /no App Secret has/],
])('%j is named by its form', (value, form) => {
  expect(String(secretProblem(value))).toMatch(form)
  expect(String(secretProblem(value))).not.toContain(SECRET)
})

test.each([SECRET, 's3cret', 'a-wrong-secret-0000', 'YWJj+/8=', 'abc==', 'x', 'Xxx9'])(
  '%s can be a secret',
  (value) => {
    expect(secretProblem(value)).toBeNull()
  },
)
