// Until every sentence is a value.

/** What a model calls as a tool, a person at a terminal runs as a command. */
const COMMANDS: Readonly<Record<string, string>> = {
  start_authorization: 'login',
  token_status: 'status',
  refresh_token: 'refresh',
}

/** The same text for a person at a terminal: names commands where it named tools. */
export function forTerminal(text: string, command: string, profile: string | undefined): string {
  const chosen = profile === undefined ? '' : ` --profile ${profile}`
  const named = text.replace(/ \(or run `[^`]+`\)/g, '')
  return named.replace(
    /\b([Cc])all (start_authorization|token_status|refresh_token)( with force true| with wait_seconds 45)?/g,
    (_, initial: string, tool: string, how = '') => {
      const force = how.includes('force') ? ' --force' : ''
      return `${initial === 'C' ? 'Run' : 'run'} \`${command} ${COMMANDS[tool]}${force}${chosen}\``
    },
  )
}
