// Every command for people who read Chinese by the locale.

import { describe } from 'vitest'
import { speaksChinese } from './chinese-commands.ts'

describe('under LANG=zh_CN.UTF-8', () => speaksChinese({ LANG: 'zh_CN.UTF-8' }))
