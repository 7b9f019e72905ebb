// What keeps attackers out of a login and of the network, each with a control: a build without it, in which they get in.

import { once } from 'node:events'
import { request } from 'node:http'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { redirectTo } from '../feishu-sandbox/fault-presets.ts'
import { setAuthorizationScene } from './authorization.ts'
import { certificateProblem, certify, type Impostor, startImpostor } from './impostor.ts'
import { refreshing, serve, start } from './process.ts'
import { openTheatre, type Scene, type Theatre } from './scene.ts'
import { buildVariant, type Patch, WHOLE } from './variant.ts'

/** Resolves to how they got in; null: they did not. */
type Proof = (scene: Scene, main: string) => Promise<string | null>

async function generationOf(scene: Scene): Promise<number> {
  return (await (await scene.open()).store.read(scene.id)).generation
}

/** A request to the listener as some program, or some page in a browser, makes it. */
async function knock(address: string, headers: Record<string, string> = {}): Promise<void> {
  const knocking = request(address, { headers: { connection: 'close', ...headers }, agent: false }).end()
  const [response] = await once(knocking, 'response')
  response.resume()
  await once(response, 'close')
}

/** Lets somebody at a pending login before the person comes to it, who must get through all the same. */
function beforeThePerson(attack: (address: string) => Promise<void>): Proof {
  return async (scene, main) => {
    const server = serve(scene, main)
    const { structuredContent } = await server.call('start_authorization', { open_browser: false })
    const address = await scene.sandbox.approve(String(structuredContent?.authorization_url))
    await attack(address)
    const early = await generationOf(scene)
    // Where the login has ended, nobody listens any more.
    await knock(address).catch(() => undefined)
    await server.close()
    if (early !== 1) return 'the attacker ended the login'
    return (await generationOf(scene)) === 2 ? null : 'the person did not get through any more'
  }
}

const stranger: Proof = async (scene, main) => {
  const server = serve(scene, main)
  const { structuredContent } = await server.call('start_authorization', { open_browser: false })
  const user = scene.sandbox.addUser()
  await knock(await scene.sandbox.approve(String(structuredContent?.authorization_url), { user }))
  await server.close()
  const { tokenSet } = await (await scene.open()).store.read(scene.id)
  return tokenSet?.user?.openId === user.openId ? 'the token of a stranger took the place of ours' : null
}

async function seenBy(impostor: Impostor, scene: Scene, main: string, env: Record<string, string>) {
  await start(scene, refreshing(main, '--force'), { env }).end
  impostor.close()
  return impostor.seen.requests === 0 ? null : 'the refresh token was sent to somebody else'
}

const redirect: Proof = async (scene, main) => {
  const impostor = await startImpostor(null)
  scene.sandbox.faults.next(redirectTo(`${impostor.url}/token`, 307))
  return seenBy(impostor, scene, main, {})
}

const certificate: Proof = async (scene, main) => {
  const impostor = await startImpostor(certify(scene.home, 'localhost', '+0'))
  return seenBy(impostor, scene, main, { FEISHU_OPEN_URL: impostor.url })
}

type Case = { name: string; proof: Proof; without: Patch; problem?: string | null }

const CASES: Case[] = [
  {
    name: 'comparing the state',
    proof: beforeThePerson((address) =>
      knock(address.replace(/state=[^&]+/, 'state=forged').replace(/code=./, 'code=X')),
    ),
    without: {
      file: 'src/oauth/authorization.ts',
      from: 'if (!state || !equalInConstantTime(state, expected.state)) return null',
      to: 'if (!state || !equalInConstantTime) return null',
    },
  },
  {
    name: 'looking at the Host',
    proof: beforeThePerson((address) => knock(address, { host: 'evil.example' })),
    without: {
      file: 'src/loopback/admission.ts',
      from: "if (!isOurHost(request, redirectUri)) return 'misdirected'",
      to: "if (!isOurHost) return 'misdirected'",
    },
  },
  {
    name: 'looking at the Origin',
    proof: beforeThePerson((address) => knock(address, { origin: 'https://evil.example' })),
    without: {
      file: 'src/loopback/admission.ts',
      from: "if (headers.origin !== undefined && headers.origin !== 'null') return 'forbidden'",
      to: "if (headers.origin === '') return 'forbidden'",
    },
  },
  {
    name: 'asking Feishu who logged in',
    proof: stranger,
    without: {
      file: 'src/authorize/finish.ts',
      from: 'if (mismatch) return endWith(deps, authorization, mismatch)',
      to: 'if (!deps) return endWith(deps, authorization, mismatch)',
    },
  },
  {
    name: 'not following redirects',
    proof: redirect,
    without: {
      file: 'src/machine/transport.ts',
      from: 'const whole = decoded(',
      to: 'if (headers.location) return request({ ...options, url: headers.location })\n      const whole = decoded(',
    },
  },
  {
    name: 'verifying certificates',
    proof: certificate,
    problem: certificateProblem(),
    without: {
      file: 'src/machine/dispatchers.ts',
      from: 'bodyTimeout: 0, connect: { timeout: 30_000 } }',
      to: 'bodyTimeout: 0, connect: { timeout: 30_000, rejectUnauthorized: false } }',
    },
  },
]

describe.each(CASES)('$name', ({ name, proof, without, problem }) => {
  if (problem) console.warn(`SKIPPED: ${name}. ${problem}`)
  let theatre: Theatre
  beforeAll(async () => {
    theatre = await openTheatre()
  })
  afterAll(() => theatre.close())

  test.skipIf(problem)('keeps them out', async () => {
    expect(await proof(await setAuthorizationScene(theatre), WHOLE)).toBeNull()
  })

  test.skipIf(problem)('lets them in when it is taken out', async () => {
    const main = await buildVariant(name.replaceAll(' ', '-'), [without])
    expect(await proof(await setAuthorizationScene(theatre), main)).toEqual(expect.any(String))
  })
})
