import { expect, test } from 'vitest'
import { languageOf } from '../../src/config/language.ts'

test.each([
  [{ FEISHU_LANG: 'zh', LC_ALL: 'en_US.UTF-8' }, 'zh'],
  [{ FEISHU_LANG: ' EN ', LANG: 'zh_CN.UTF-8' }, 'en'],
  [{ FEISHU_LANG: 'fr', LANG: 'zh_CN.UTF-8' }, 'zh'],
  [{ FEISHU_LANG: '', LANG: 'zh_CN' }, 'zh'],
  [{ LC_ALL: 'zh_TW.UTF-8', LANG: 'en_US' }, 'zh'],
  [{ LC_ALL: 'C', LC_MESSAGES: 'zh_CN', LANG: 'zh_CN' }, 'en'],
  [{ LC_ALL: '', LC_MESSAGES: 'zh_CN.UTF-8', LANG: 'en_US' }, 'zh'],
  [{ LC_MESSAGES: 'en_US.UTF-8', LANG: 'zh_CN.UTF-8' }, 'en'],
  [{ LANG: 'zh-Hans' }, 'zh'],
  [{ LANG: 'zhx' }, 'en'],
  [{ LANG: 'C.UTF-8' }, 'en'],
])('%j speaks %s', (environment, language) => {
  expect(languageOf(environment, () => (language === 'zh' ? 'en-US' : 'zh-CN'))).toBe(language)
})

test.each([
  ['zh-CN', 'zh'],
  ['zh', 'zh'],
  ['en-US', 'en'],
])('where no variable says it, the system does: %s speaks %s', (locale, language) => {
  expect(languageOf({ LANG: '', FEISHU_LANG: 'fr' }, () => locale)).toBe(language)
})
