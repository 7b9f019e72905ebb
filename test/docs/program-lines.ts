// The one line to type for each program whose variables we know, as the documents give it.

import type { ProgramName } from '../../src/hand-over/programs.ts'

const COMMANDS: Readonly<Record<ProgramName, string>> = {
  'lark-mcp': 'npx -y @larksuiteoapi/lark-mcp mcp --token-mode user_access_token',
  'lark-cli': 'lark-cli …',
  'feishu-cli': 'feishu-cli …',
}

export function programLine(name: ProgramName): string {
  return `feishu-token-mcp exec --for ${name} -- ${COMMANDS[name]}`
}

export const PROGRAM_LINES: readonly string[] = (Object.keys(COMMANDS) as ProgramName[]).map(programLine)
