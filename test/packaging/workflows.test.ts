import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const FOLDER = '.github/workflows'

test.each(readdirSync(FOLDER))(
  'every action of %s is pinned by its commit, with its version beside',
  (name) => {
    const used = readFileSync(join(FOLDER, name), 'utf8').match(/(?<=uses: ).*/g) ?? []
    expect(used.length).toBeGreaterThan(0)
    for (const action of used) expect(action).toMatch(/^[\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  },
)

test('what is published names the repository that its provenance names', () => {
  const text = readFileSync(join(FOLDER, 'release.yml'), 'utf8')
  const steps = ['npm pkg set repository.type=git repository.url=', 'npm run package', 'npm publish']
  const places = steps.map((step) => text.indexOf(step))
  expect(places.every((place) => place > 0)).toBe(true)
  expect(places).toEqual(places.toSorted((one, other) => one - other))
})

test('what npm test is run on begins with the oldest Node that the package takes', () => {
  const { engines } = JSON.parse(readFileSync('package.json', 'utf8'))
  const matrix = /node: \[(.*)\]/.exec(readFileSync(join(FOLDER, 'ci.yml'), 'utf8'))?.[1]?.split(', ')
  expect(matrix?.[0]).toBe(/\d+/.exec(engines.node)?.[0])
})

test('every package of the lock file is proved by its hash, and what a user installs has no version that floats', () => {
  const { packages } = JSON.parse(readFileSync('package-lock.json', 'utf8')) as {
    packages: Record<string, { integrity?: string }>
  }
  const unproved = Object.keys(packages).filter((path) => path !== '' && !packages[path]?.integrity)
  expect(unproved).toEqual([])
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(
    readFileSync('package.json', 'utf8'),
  )
  expect(dependencies).toBeUndefined()
  for (const version of Object.values({ ...optionalDependencies, ...devDependencies })) {
    expect(version).toMatch(/^\d+\.\d+\.\d+$/)
  }
})
