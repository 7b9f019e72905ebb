// Every command for people who read Chinese by the setting or by the locale.

import { describe } from 'vitest'
import { everyCommandSpeaksChinese, speaksChinese } from './chinese-commands.ts'

describe('under LANG=zh_CN.UTF-8', () => {
  speaksChinese({ LANG: 'zh_CN.UTF-8' })
  everyCommandSpeaksChinese({ LANG: 'zh_CN.UTF-8' })
})

describe('under FEISHU_LANG=zh', () => everyCommandSpeaksChinese({ FEISHU_LANG: 'zh', LANG: 'en_US.UTF-8' }))
