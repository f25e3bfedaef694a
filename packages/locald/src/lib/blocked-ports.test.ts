import { expect, test } from 'vitest'
import { isBlockedPort } from './blocked-ports.ts'

/** Node's `fetch` implements the same list; the address refuses everything else without leaving the machine. */
async function isRefusedByFetch(port: number): Promise<boolean> {
  try {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) })
    await answer.body?.cancel()
    return false
  } catch (error) {
    return error instanceof Error && error.cause instanceof Error && error.cause.message === 'bad port'
  }
}

const blockedPorts = Array.from({ length: 65_536 }, (_, port) => port).filter((port) => isBlockedPort(port))

test('isBlockedPort() knows the 83 ports of the standard', () => {
  expect(blockedPorts).toHaveLength(83)
})

test('isBlockedPort() agrees with fetch() on each of them', async () => {
  // Port 0 is refused by the URL's own rules before the list is asked.
  const listed = blockedPorts.filter((port) => port !== 0)
  const refused = await Promise.all(listed.map(async (port) => isRefusedByFetch(port)))
  expect(listed.filter((_, index) => refused[index] !== true)).toEqual([])
})

test('isBlockedPort() lets the usual development ports through', () => {
  expect([80, 443, 3000, 5000, 5173, 8000, 8080, 9229].filter((port) => isBlockedPort(port))).toEqual([])
})
