// The environment as it was given. What may hold a secret is taken out of the process at once, before a helper starts.

/** Never handed to a helper program (browser, keychain); `exec` gives its child what the contract names. */
const SECRET_VARIABLES = [
  'FEISHU_APP_SECRET',
  'FEISHU_TOKEN_KEY',
  'FEISHU_TOKEN_STORE',
  'APP_SECRET',
  'PGPASSWORD',
  'USER_ACCESS_TOKEN',
  'FEISHU_USER_ACCESS_TOKEN',
]

export const environment: Readonly<Record<string, string | undefined>> = { ...process.env }

for (const name of SECRET_VARIABLES) delete process.env[name]

// Windows looks for a program that is started by its name in the current folder first, where a cloned repository may
// have brought one. This is the system's own switch against that; a child of `exec` has the environment as it was.
if (process.platform === 'win32') process.env.NoDefaultCurrentDirectoryInExePath = '1'

/** NODE_DEBUG=stream prints what comes on stdin and from Feishu. Node reads it before us, so it is silenced here. */
function silenceStreams(): void {
  const write = process.stderr.write.bind(process.stderr) as (...args: unknown[]) => boolean
  process.stderr.write = (...args: unknown[]) => /^STREAM /.test(String(args[0])) || write(...args)
}

if (environment.NODE_DEBUG) {
  delete process.env.NODE_DEBUG
  silenceStreams()
}
