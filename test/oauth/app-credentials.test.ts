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
  `HTTP://LOCALHOST:8080/app/${ID}`,
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
  `see https://open.feishu.cn/app/${ID}`,
  `https://open.feishu.cn/app/${ID} is it`,
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
  [`export  APP_SECRET="${SECRET}"`, /name with its value/],
  [`set  APP_SECRET=${SECRET}`, /name with its value/],
  [`set APP_SECRET = ${SECRET}`, /name with its value/],
  [`"app_secret": "${SECRET}"`, /name with its value/],
  [`App-Secret: ${SECRET}`, /name with its value/],
  [`"${SECRET}"`, /quotes/],
  [`'${SECRET}`, /quotes/],
  [`“${SECRET}”`, /quotes/],
  [ID, /an App ID/],
  ['<your app secret>', /placeholder/],
  ['[the app secret]', /placeholder/],
  ['{secret}', /placeholder/],
  ['my secret', /placeholder/],
  ['your_app_secret', /placeholder/],
  ['YOUR-SECRET-HERE', /placeholder/],
  ['xxxxxxxxxxxxxxxx', /placeholder/],
  ['****************', /placeholder/],
  ['••••••••', /placeholder/],
  ['app_secret', /placeholder/],
  ['AppSecret', /placeholder/],
  ['feishu-app-secret', /placeholder/],
  ['lark app secret', /placeholder/],
  ['larkappsecret', /placeholder/],
  ['change-me', /placeholder/],
  ['ChangeMe', /placeholder/],
  ['todo', /placeholder/],
  ['secret', /placeholder/],
  ['placeholder', /placeholder/],
  ['请填AppSecret', /placeholder/],
  ['AppSecret填写', /placeholder/],
  ['你的AppSecret', /placeholder/],
  ['密钥', /no App Secret has/],
])('%j is named by its form', (value, form) => {
  expect(String(secretProblem(value))).toMatch(form)
  expect(String(secretProblem(value))).not.toContain(SECRET)
})

const WORDS = 's3cret a-wrong-secret-0000 YWJj+/8= YWJj+/b=x abc== x Xxx9'
/** What would be none, but for what stands before or behind it. */
const AROUND =
  'a"b xcli_1 a<b> <b>a a[b] [b]a a{b} {b}a a*** ***a axxxx xxxxa oh-my-1 x-app-secret app-secret-1 asecret secreta xtodo todo1'
test.each([SECRET, ...WORDS.split(' '), ...AROUND.split(' ')])('%s can be a secret', (value) => {
  expect(secretProblem(value)).toBeNull()
})
