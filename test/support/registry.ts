import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { TestContext } from 'vitest'

/** What npm says where the registry cannot be reached; anything else is a fault of ours. */
const UNREACHED =
  /code (ENOTFOUND|ECONNREFUSED|ECONNRESET|EAI_AGAIN|ENETUNREACH|ETIMEDOUT|ERR_SOCKET_TIMEOUT|ENOTCACHED|E5\d\d)\b/
/** An answer that takes longer is taken for none: the test around it would time out. */
const TIMEOUT_MS = 150_000

/** Runs a command that asks the npm registry. Where that cannot be reached, the test is skipped and says so. */
export async function runOrSkip(context: TestContext, command: string, args: string[]): Promise<string> {
  try {
    // Answers at once where there is no network, instead of trying for minutes.
    const env = { ...process.env, npm_config_fetch_retries: '0' }
    return (await promisify(execFile)(command, args, { env, timeout: TIMEOUT_MS })).stdout
  } catch (error) {
    const { stderr = '', killed = false } = error as { stderr?: string; killed?: boolean }
    if (killed || UNREACHED.test(stderr)) {
      context.skip(`the npm registry is not reached: with a network, run ${command} ${args.join(' ')}`)
    }
    throw error
  }
}
