// Which of the values that a schema names have turned up in answers.

export type Schema = {
  type?: string | string[]
  enum?: unknown[]
  properties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
}

/** What of a schema's field can be told apart: its words, its truth values, and whether it is known. */
function kindsOf(schema: Schema): string[] {
  const branches = schema.anyOf ?? [schema]
  return branches.flatMap((branch) => {
    if (branch.enum) return branch.enum.map(String)
    const types = [branch.type ?? []].flat()
    const kinds = types.flatMap((type) =>
      type === 'boolean' ? ['true', 'false'] : type === 'null' ? ['null'] : [],
    )
    return types.includes('null') || schema.anyOf
      ? [...kinds, ...(kinds.includes('true') ? [] : ['known'])]
      : kinds
  })
}

/** The same for a value. */
function kindsOfValue(value: unknown): string[] {
  return value === null ? ['null'] : ['known', String(value)]
}

function* fieldsOf(schema: Schema, path: string): Generator<[string, Schema]> {
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    yield [`${path}.${name}`, field]
    yield* fieldsOf(field, `${path}.${name}`)
    if (field.items) yield* fieldsOf(field.items, `${path}.${name}`)
  }
}

function* valuesOf(data: unknown, path: string): Generator<[string, unknown]> {
  for (const element of Array.isArray(data) ? data : [data]) {
    if (typeof element !== 'object' || element === null) continue
    for (const [name, value] of Object.entries(element)) {
      yield [`${path}.${name}`, value]
      yield* valuesOf(value, `${path}.${name}`)
    }
  }
}

export type SeenValues = {
  note: (tool: string, data: Record<string, unknown>) => void
  /** What a tool's schema names and no answer had, as `tool.field=value`. */
  missing: (tool: string, schema: Schema) => string[]
}

/** Remembers the values of answers, and tells which of a schema's are missing. */
export function createSeenValues(): SeenValues {
  const seen = new Set<string>()
  return {
    note(tool, data) {
      for (const [path, value] of valuesOf(data, tool)) {
        for (const kind of kindsOfValue(value)) seen.add(`${path}=${kind}`)
      }
    },
    missing(tool, schema) {
      const named = [...fieldsOf(schema, tool)].flatMap(([path, field]) =>
        kindsOf(field).map((kind) => `${path}=${kind}`),
      )
      return [...new Set(named)].filter((name) => !seen.has(name))
    },
  }
}
