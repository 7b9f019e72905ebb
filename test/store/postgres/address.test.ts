import pg from 'pg'
import { expect, test } from 'vitest'
import { Secret } from '../../../src/secret.ts'
import { withPassword } from '../../../src/store/postgres/address.ts'

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
