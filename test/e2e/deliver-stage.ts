// Three files that get a copy of the token.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Stage, setStage } from '../support/program.ts'

export const CURSOR: string = `{
  // a comment that stays
  "mcpServers": {
    "lark": { "command": "npx", "args": ["-y", "@larksuiteoapi/lark-mcp"], "env": { "USER_ACCESS_TOKEN": "old" } },
  },
}
`

export async function stageWithTargets(): Promise<{
  stage: Stage
  dotenv: string
  json: string
  config: string
}> {
  const stage = await setStage()
  const [dotenv, json, config] = ['.env', 'token.json', 'mcp.json'].map((name) => join(stage.home, name)) as [
    string,
    string,
    string,
  ]
  await writeFile(dotenv, '# mine\nFEISHU_TOKEN=old\n')
  await writeFile(config, CURSOR)
  stage.env.FEISHU_DELIVER_TO = `dotenv:${dotenv}#FEISHU_TOKEN,token-json:${json},mcp:${config}#lark`
  return { stage, dotenv, json, config }
}
