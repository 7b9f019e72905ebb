import pg from 'pg'
import { expect, test } from 'vitest'
import { Secret } from '../../../src/secret.ts'
import {
  goesInTheClear,
  parseAddress,
  placeOfDatabase,
  withPassword,
} from '../../../src/store/postgres/address.ts'

/** As the database's client reads it. */
function read(
  address: string,
  given: string | undefined,
): { password: unknown; host: unknown; user: unknown } {
  const connectionString = withPassword(new Secret(address), given).reveal()
  const { password, host, user } = new pg.Client({ connectionString })
  return { password, host, user }
}

test('PGPASSWORD becomes the password of an address without one, whatever stands in it', () => {
  const password = 'a&b=c d%41+é/?#"'
  expect(read('postgres://me@db.example/tokens', password)).toEqual({
    password,
    host: 'db.example',
    user: 'me',
  })
  expect(read('postgres://me@db.example/tokens?sslmode=disable', password)).toMatchObject({ password })
  expect(read('postgres://me@/tokens?host=/run/postgresql', password)).toMatchObject({
    password,
    host: '/run/postgresql',
  })
})

test('an address with a password of its own keeps it, and without PGPASSWORD nothing changes', () => {
  expect(read('postgres://me:own@db.example/tokens', 'other')).toMatchObject({ password: 'own' })
  expect(read('postgres://me@db.example/tokens?password=own', 'other')).toMatchObject({ password: 'own' })
  const address = 'postgres://me@db.example/tokens'
  expect(withPassword(new Secret(address), undefined).reveal()).toBe(address)
})

test.each([
  ['postgres://me:pw@db.example/tokens', 'db.example:5432/tokens'],
  ['postgresql://db.example:6543/tokens?sslmode=require', 'db.example:6543/tokens'],
  ['postgres://me@/tokens', 'localhost:5432/tokens'],
  ['postgres://me@/tokens?host=/run/postgresql&port=6000', '/run/postgresql:6000/tokens'],
  ['postgres://%2Frun%2Fpostgresql/tokens', '/run/postgresql:5432/tokens'],
  ['postgres:///tokens', 'localhost:5432/tokens'],
])('%s is shown as %s', (address, place) => {
  const url = parseAddress(address)
  expect(url && placeOfDatabase(url)).toBe(place)
})

test.each([
  'mysql://db.example/tokens',
  'xpostgres://db.example/tokens',
  'postgres:/tokens',
  'postgres://db.example',
  'postgres://db.example/',
  'postgres://a b/tokens',
])('%s is no address of a database', (address) => {
  expect(parseAddress(address)).toBeNull()
  expect(withPassword(new Secret(address), 'pw').reveal()).toBe(address)
})

test.each<[boolean, string[]]>([
  [
    false,
    [
      'postgres://me@/tokens',
      'postgres:///tokens',
      'postgres://127.0.0.1/tokens',
      'postgres://localhost/tokens?sslmode=disable',
      'postgres://db.example/tokens?host=/run/postgresql',
      'postgres://db.example/tokens?ssl=true',
      'postgres://db.example/tokens?sslmode=prefer',
      'postgres://db.example/tokens?sslmode=require',
      'postgres://db.example/tokens?sslmode=verify-ca',
      'postgres://db.example/tokens?sslmode=verify-full',
      'postgres://db.example/tokens?uselibpqcompat=true&sslmode=verify-ca',
      'postgres://db.example/tokens?uselibpqcompat=true&sslmode=verify-full',
    ],
  ],
  [
    true,
    [
      'postgres://db.example/tokens',
      'postgres://db.example/tokens?ssl=false',
      'postgres://db.example/tokens?sslmode=disable',
      'postgres://db.example/tokens?sslmode=disable&ssl=true',
      'postgres://db.example/tokens?uselibpqcompat=true&sslmode=prefer',
      'postgres://db.example/tokens?uselibpqcompat=true&sslmode=require',
      'postgres://localhost/tokens?host=db.example',
    ],
  ],
])('whether the way goes over a network in the clear: %s', (isClear, addresses) => {
  for (const address of addresses) {
    const url = parseAddress(address)
    expect([address, url && goesInTheClear(url)]).toEqual([address, isClear])
  }
})
