import { expect, test } from 'vitest'
import { ConnectionRegistry } from './connection-registry.ts'
import type { ClientConnection } from './connection-registry.ts'
import { clientTimes, mostConnections } from './limits.ts'

interface Told {
  readonly connection: ClientConnection
  isDestroyed: boolean
}

function connectionOf(changes: Partial<ClientConnection> = {}): Told {
  const told: Told = {
    isDestroyed: false,
    connection: {
      deadline: Infinity,
      isIdle: false,
      stalledSince: Infinity,
      look: () => undefined,
      onDeadline: () => undefined,
      destroy: () => (told.isDestroyed = true),
      ...changes,
    },
  }
  return told
}

/** A registry that is full, with these in it. */
function fullWith(...some: readonly Told[]): ConnectionRegistry {
  const registry = new ConnectionRegistry(clientTimes)
  for (const { connection } of some) registry.add(connection)
  for (let count = some.length; count < mostConnections; count += 1) registry.add(connectionOf().connection)
  return registry
}

test('when there is no room, one that is idle makes it, else the one that has stalled the longest', () => {
  const now = performance.now()
  const briefly = connectionOf({ stalledSince: now })
  const long = connectionOf({ stalledSince: now - 20_000 })
  const longest = connectionOf({ stalledSince: now - 30_000 })
  const idle = connectionOf({ isIdle: true })
  const registry = fullWith(briefly, long, longest, idle)
  const ended = (): readonly boolean[] => [briefly, long, longest, idle].map(({ isDestroyed }) => isDestroyed)
  const add = (): boolean => registry.add(connectionOf().connection)
  expect([add(), ended()]).toEqual([true, [false, false, false, true]])
  expect([add(), ended()]).toEqual([true, [false, false, true, true]])
  expect([add(), ended()]).toEqual([true, [false, true, true, true]])
  expect([add(), ended()]).toEqual([false, [false, true, true, true]])
})
