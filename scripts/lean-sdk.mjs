// Keeps out of the server's start what the MCP SDK evaluates there and this server never asks of it. Nothing is
// patched: what is left out is loaded when it is first used, or cannot be reached at all.

import { readFileSync } from 'node:fs'

/** Where what is rarely used lies, beside the SDK's own file. */
const SPARE = './mcp-spare.js'

/** What is loaded with `SPARE`: validators of form elicitations and of client results, and schemas of zod 3. */
export const SPARE_LINES = [
  "export { AjvJsonSchemaValidator } from '@modelcontextprotocol/sdk/validation/ajv-provider.js'",
  "export { object } from 'zod/v3'",
  "export { zodToJsonSchema } from 'zod-to-json-schema'",
]

const lazy = (name) => `export const ${name} = (...args) => require('${SPARE}').${name}(...args)`

/** Module → what stands for it until it is used. */
const STAND_INS = {
  ajv: `export class AjvJsonSchemaValidator {
    getValidator(schema) {
      this.validator ??= new (require('${SPARE}').AjvJsonSchemaValidator)()
      return this.validator.getValidator(schema)
    }
  }`,
  'zod/v3': lazy('object'),
  'zod-to-json-schema': lazy('zodToJsonSchema'),
}

/** A schema of the SDK's: a constant at the margin, made by a method of zod or of another schema. */
const SCHEMA = /^((?:export )?const \w+ = )((?:z|\w+Schema)\.[\s\S]*?);\n(?=[^\s})\]]|$)/gm

export const leanSdk = {
  name: 'lean-sdk',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /\/ajv-provider\.js$/ }, () => ({ path: 'ajv', namespace: 'stand-in' }))
    onResolve({ filter: /^(zod\/v3|zod-to-json-schema)$/ }, ({ path }) => ({ path, namespace: 'stand-in' }))
    onResolve({ filter: /^\.\/mcp-spare\.js$/ }, ({ path }) => ({ path, external: true }))
    onLoad({ filter: /.*/, namespace: 'stand-in' }, ({ path }) => ({ contents: STAND_INS[path] }))
    // Making a schema has no effect but its own: with this said, the bundler drops those that nothing uses.
    onLoad({ filter: /sdk[\\/]dist[\\/]esm[\\/]types\.js$/ }, ({ path }) => {
      let marked = 0
      const contents = readFileSync(path, 'utf8').replace(SCHEMA, (_, declaration, schema) => {
        marked += 1
        return `${declaration}/* @__PURE__ */ (() => ${schema})();\n`
      })
      if (marked < 100) throw new Error(`Only ${marked} schemas were found in ${path}: has its form changed?`)
      return { contents }
    })
  },
}

/** What the client's transport uses of the SDK's types: it takes them from the server's file. */
export const CLIENT_TYPES = [
  'isInitializedNotification',
  'isJSONRPCRequest',
  'isJSONRPCResultResponse',
  'JSONRPCMessageSchema',
]

/** The SDK's own OAuth is for a client without a token: here the token comes with the request, and this is never called. */
const NO_OAUTH = `export class UnauthorizedError extends Error {}
  export const auth = () => Promise.reject(new UnauthorizedError())
  export const extractWWWAuthenticateParams = () => ({})`

export const leanClient = {
  name: 'lean-client',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\.\/types\.js$/ }, () => ({ path: './mcp.js', external: true }))
    onResolve({ filter: /^\.\/auth\.js$/ }, () => ({ path: 'oauth', namespace: 'stand-in' }))
    onLoad({ filter: /.*/, namespace: 'stand-in' }, () => ({ contents: NO_OAUTH }))
  },
}
