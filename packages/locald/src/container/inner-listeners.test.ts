import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { innerState, ownPid } from './inner-listeners.ts'

const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(host: string, server = createServer()): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

// This process is as good as a container's: it has a network namespace, and a table of its sockets.
describe.skipIf(process.platform !== 'linux')('innerState(), by the table of sockets', () => {
  test.each(['0.0.0.0', '::'])('sees a listener on %s', async (host) => {
    const port = await listen(host)
    expect(await innerState(process.pid, { container: port, host: 1 })).toEqual({ type: 'listening' })
  })

  test.each([
    ['127.0.0.1', '127.0.0.1'],
    ['::1', '::1'],
  ])('says that a listener on %s cannot be reached', async (host, address) => {
    const port = await listen(host)
    expect(await innerState(process.pid, { container: port, host: 1 })).toEqual({ type: 'loopback', address })
  })

  test('sees that nobody listens', async () => {
    expect(await innerState(process.pid, { container: 1, host: 1 })).toEqual({ type: 'silent' })
  })
})

describe('innerState(), by a connection', () => {
  test('believes one that holds, or that brings something', async () => {
    const silent = await listen('127.0.0.1')
    expect(await innerState(null, { container: 80, host: silent })).toEqual({ type: 'listening' })
    const greeting = await listen(
      '127.0.0.1',
      createServer((socket) => socket.end('220 hello\r\n')),
    )
    expect(await innerState(null, { container: 80, host: greeting })).toEqual({ type: 'listening' })
  })

  test('does not believe one that is accepted and closed, as docker-proxy does it, or refused', async () => {
    const proxy = await listen(
      '127.0.0.1',
      createServer((socket) => socket.destroy()),
    )
    expect(await innerState(null, { container: 80, host: proxy })).toEqual({ type: 'silent' })
    expect(await innerState(null, { container: 80, host: 1 })).toEqual({ type: 'silent' })
  })
})

test('ownPid() believes only a process of that container', async () => {
  expect(await ownPid(process.pid, 'f'.repeat(64))).toBeNull()
  expect(await ownPid(0, 'f'.repeat(64))).toBeNull()
})
