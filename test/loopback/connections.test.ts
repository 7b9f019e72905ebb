import { Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { type Connections, trackConnections } from '../../src/loopback/connections.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function acceptMany(connections: Connections, count: number): Socket[] {
  const sockets = Array.from({ length: count }, () => new Socket())
  for (const socket of sockets) connections.accept(socket)
  return sockets
}

/** The time of patience, and then a look at what the sockets have brought. */
function passPatience(arrives: () => void = () => {}): void {
  vi.advanceTimersByTime(100)
  arrives()
  vi.advanceTimersByTime(1)
}

function open(sockets: Socket[]): number[] {
  return sockets.flatMap((socket, index) => (socket.destroyed ? [] : [index]))
}

test('a rush is let in for a moment, then the 32 youngest stay', () => {
  const sockets = acceptMany(trackConnections(), 200)
  expect(open(sockets)).toHaveLength(200)
  passPatience()
  expect(open(sockets)).toEqual(Array.from({ length: 32 }, (_, index) => 168 + index))
})

test('a rush is bounded from the first moment', () => {
  const sockets = acceptMany(trackConnections(), 1_000)
  expect(open(sockets)).toEqual(Array.from({ length: 256 }, (_, index) => 744 + index))
})

test('a connection with a request stays, however old it is', () => {
  const connections = trackConnections()
  const [person] = acceptMany(connections, 1)
  expect(connections.hear(person as Socket)).toBe(true)
  acceptMany(connections, 1_000)
  passPatience()
  connections.dropSilent()
  expect(person?.destroyed).toBe(false)
  connections.dropAll()
  expect(person?.destroyed).toBe(true)
})

test('a request that arrived while the process stood still is read before anybody is dropped', () => {
  const connections = trackConnections()
  const [person] = acceptMany(connections, 1)
  const others = acceptMany(connections, 200)
  passPatience(() => connections.hear(person as Socket))
  expect([person?.destroyed, open(others).length]).toEqual([false, 31])
})

test('only the first request of a connection is heard, and none of a stranger', () => {
  const connections = trackConnections()
  const [socket] = acceptMany(connections, 1)
  expect([connections.hear(socket as Socket), connections.hear(socket as Socket)]).toEqual([true, false])
  expect(connections.hear(new Socket())).toBe(false)
})

test('a connection that ends makes room', () => {
  const connections = trackConnections()
  const sockets = acceptMany(connections, 32)
  for (const socket of sockets) socket.emit('close')
  const younger = acceptMany(connections, 32)
  passPatience()
  expect(open(younger)).toHaveLength(32)
})
