import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_SCOPES } from '../../src/config/config.ts'
import { CodedError } from '../../src/errors.ts'
import { expandPresets, PRESET_NAMES, presetScopes } from '../../src/oauth/scope-presets.ts'
import { checkScopes, namedScopes } from '../../src/oauth/scopes.ts'
import { inEnglish } from '../../src/sentence.ts'
import { failureOf } from '../support/failure.ts'

test('the default scopes are known', () => {
  expect(checkScopes(DEFAULT_SCOPES)).toEqual([])
})

test.each([
  'docx:document:write_only',
  'contact:user.employee_id:readonly',
  'im:message.send_as_user',
  'offline_access',
  'user_profile',
])('%s is a scope of Feishu', (scope) => {
  expect(checkScopes([scope])).toEqual([])
})

/** Those that Feishu's pages name, written down once more. */
const NAMED = `contact:user.base:readonly contact:user.email:readonly contact:user.employee:readonly
  contact:user.phone:readonly bitable:app bitable:app:readonly calendar:calendar calendar:calendar:readonly
  docs:document.content:read docx:document docx:document:create docx:document:readonly drive:drive drive:drive:readonly
  im:chat im:chat:readonly im:message im:message:readonly sheets:spreadsheet sheets:spreadsheet:readonly task:task:read
  task:task:readonly task:task:write wiki:wiki wiki:wiki:readonly`

test('what people ask for most is known', () => {
  expect(checkScopes(NAMED.split(/\s+/))).toEqual([])
})

test.each([
  ['docs:doc', 'docx:document'],
  ['docs:document', 'docx:document'],
  ['docx:document:write', 'docx:document:write_only'],
  ['docx:document:read', 'docx:document:readonly'],
])('%s does not exist; it is told to be %s', async (wrong, right) => {
  const error = await failureOf(async () => checkScopes([wrong]))
  expect(error).toMatchObject({ code: 'scope_unknown' })
  expect(`${error.message} ${error.nextStep}`).toContain(
    `did you mean ${right}? Use ${right} in FEISHU_SCOPES`,
  )
})

test('a name of 128 characters is one, of 129 none', async () => {
  const name = `docx:${'x'.repeat(123)}`
  expect(checkScopes([name])).toEqual([name])
  expect(await failureOf(async () => checkScopes([`${name}x`]))).toMatchObject({ code: 'invalid_scope' })
})

test.each(['@hosted-mcp', '@lark-mcp'])('%s stands for scopes that are known, in its place', (preset) => {
  const scopes = expandPresets(['a:b', preset, 'c:d'])
  expect(scopes.length).toBeGreaterThan(8)
  expect([scopes[0], scopes.at(-1)]).toEqual(['a:b', 'c:d'])
  expect(checkScopes(scopes.slice(1, -1))).toEqual([])
})

test('a well-formed name that is not known is named and not refused', () => {
  expect(checkScopes(['docx:document', 'search:docs:write', 'a.b:c_d:e9'])).toEqual([
    'search:docs:write',
    'a.b:c_d:e9',
  ])
})

test('the scopes that a text of Feishu names are found in it, each once', () => {
  const text =
    'No permission [im:message.send_as_user, docx:document:readonly], at 12:30. Error code:99991672; ask for docx:document:readonly. ' +
    'Xdocx:document, docx:, :docx, docx, https://open.feishu.cn/app'
  expect(namedScopes(text)).toEqual(['im:message.send_as_user', 'docx:document:readonly'])
  expect(namedScopes('wiki:wiki')).toEqual(['wiki:wiki'])
  expect(namedScopes('nothing')).toEqual([])
})

test('every preset stands for names of its own', () => {
  for (const preset of PRESET_NAMES)
    expect(presetScopes()).toEqual(expect.arrayContaining(expandPresets([preset])))
  expect(expandPresets(['toString'])).toEqual(['toString'])
})

describe('a name that is sure to fail', () => {
  test.each([
    ['docx:document:write', 'docx:document:write_only'],
    ['docx:document:read', 'docx:document:readonly'],
    ['docs:document', 'docx:document'],
  ])('%s is answered with the right one', async (scope, right) => {
    const error = await failureOf(() => checkScopes(['offline_access', scope]))
    expect(error.code).toBe('scope_unknown')
    expect(error.message).toContain(`did you mean ${right}?`)
    expect(error.nextStep).toBe(`Use ${right} in FEISHU_SCOPES or in the scopes of start_authorization.`)
    expect(inEnglish(error.step, { command: 'x', profile: undefined })).toBe(
      `Use ${right} in FEISHU_SCOPES or in --scope.`,
    )
  })

  test('a preset that does not exist is answered with those that do', async () => {
    const error = await failureOf(() => checkScopes(['@hosted']))
    expect(error.code).toBe('scope_unknown')
    expect(error.nextStep).toContain('@hosted-mcp, @lark-mcp')
  })

  test('because only apps hold it is answered with what a person asks for', async () => {
    const error = await failureOf(() => checkScopes(['im:message:send_as_bot']))
    expect(error.code).toBe('invalid_scope')
    expect(error.nextStep).toContain('im:message.send_as_user')
  })

  test.each([
    '',
    '*',
    'docx',
    'docx:',
    ':docx',
    'docx::document',
    'a:b,c:d',
    'a:b c:d',
    'Docx:document',
    'a:b\n',
    'a:b；c:d',
  ])('%j is malformed', async (scope) => {
    expect((await failureOf(() => checkScopes([scope]))).code).toBe('invalid_scope')
  })

  test('is named beside every other one', async () => {
    const wrong = ['docs:doc', 'im:message', 'docx:document:read', 'No Scope']
    const error = await failureOf(() => checkScopes(wrong))
    expect(error.code).toBe('scope_unknown')
    for (const name of ['docs:doc', 'docx:document:read', 'No Scope'])
      expect(error.message).toContain(`"${name}"`)
    expect(error.nextStep).toMatch(
      /^Use docx:document in [^.]+; use docx:document:readonly in [^.]+; correct the scopes[^.]+\.$/,
    )
  })

  test('that is mended in the same way as another is told once how', async () => {
    const error = await failureOf(() => checkScopes(['docs:doc', 'docs:document']))
    expect(error.nextStep?.match(/Use docx:document in/g)).toHaveLength(1)
  })

  test('is shown without markup', async () => {
    const error = await failureOf(() => checkScopes(['<img src=x>`id`']))
    expect(error.message).not.toMatch(/[<>`]/)
  })

  test('is shown bounded and plain', async () => {
    const error = await failureOf(() => checkScopes([`\u001b]8;;\u202e${'x'.repeat(5_000)}`]))
    expect(error.message.length).toBeLessThan(300)
    expect(error.message).toMatch(/^[\x20-\x7e]+$/)
  })
})

test('more scopes than Feishu takes in one request are refused with their number', async () => {
  const many = Array.from({ length: 201 }, (_, index) => `a:b${index}`)
  const error = await failureOf(() => checkScopes(many))
  expect(error.message).toContain('201')
  expect(error.nextStep).toMatch(/^Ask for fewer scopes/)
  expect(checkScopes(many.slice(1))).toHaveLength(200)
})

test.each(['__proto__', 'constructor', 'toString'])('%s, which every object has, is no scope', (name) => {
  expect(() => checkScopes([name])).toThrow(expect.objectContaining({ code: 'invalid_scope' }))
})

test('any list is checked or refused', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 10 }), { maxLength: 4 }), (scopes) => {
      try {
        expect(scopes).toEqual(expect.arrayContaining(checkScopes(scopes)))
      } catch (error) {
        if (!(error instanceof CodedError)) throw error
        expect(error.recovery).toBe('fix_config')
      }
    }),
  )
})
