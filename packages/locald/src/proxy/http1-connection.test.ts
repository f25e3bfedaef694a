// Connections whose socket has been given to somebody else, and clients that do not read what they asked for.
import { once } from 'node:events'
import { describe, expect, it } from 'vitest'
import { duplexPair } from '../lib/duplex-pair.ts'
import { ConnectionRegistry } from './connection-registry.ts'
import { Http1Connection } from './http1-connection.ts'
import { clientTimes, mostConnections } from './limits.ts'
import type { LocalAnswer } from './local-answer.ts'
import { emptyRouteTable } from './route-table.ts'
import { openProxy, rawClient, tableOf, target } from './testing/proxy-rig.ts'
import { httpService } from './testing/test-service.ts'

const never = (): never => {
  throw new Error('Nothing is asked of it here')
}
const context = {
  table: emptyRouteTable,
  gateOf: never,
  mayHold: never,
  enter: never,
  leave: never,
  want: never,
  answer: never,
  openEvents: never,
  answerForService: never,
}
const facts = { isSecure: false, port: 80, remoteAddress: '127.0.0.1' }

describe('Http1Connection', () => {
  it('is not idle when another protocol is spoken on it', async () => {
    const registry = new ConnectionRegistry(clientTimes)
    const [socket, client] = duplexPair()
    const handedOver = new Promise((resolve) => {
      Http1Connection.open(socket, facts, { context, registry, onHttp2: resolve })
    })
    client.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    await handedOver
    const busy = {
      deadline: Infinity,
      stalledSince: Infinity,
      isIdle: false,
      look: never,
      onDeadline: never,
      destroy: never,
    }
    for (let count = 1; count < mostConnections; count += 1) registry.add({ ...busy })
    expect([registry.add({ ...busy }), socket.destroyed]).toEqual([false, false])
    client.destroy()
    socket.destroy()
  })
  it.each(['close', 'keep-alive'])(
    'is not closed while an answer that is whole is still being taken (Connection: %s)',
    async (connection) => {
      const registry = new ConnectionRegistry(clientTimes)
      const [socket, client] = duplexPair()
      const answer = (): LocalAnswer => ({ status: 421, fields: [], body: Buffer.alloc(200_000) })
      Http1Connection.open(socket, facts, { context: { ...context, answer }, registry, onHttp2: never })
      client.write(`GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: ${connection}\r\n\r\n`)
      await once(client, 'readable')
      const now = performance.now()
      for (let second = 0; second < 100; second += 10) registry.sweep(now + second * 1000)
      expect([socket.destroyed, socket.writableLength > 0]).toEqual([false, true])
      registry.sweep(now + clientTimes.bodyIdleMs + 1000)
      expect(socket.destroyed).toBe(true)
      client.destroy()
    },
  )

  it.each([
    ['a service', 'shop.localhost', 'x'.repeat(10_000)],
    ['the proxy itself', 'nobody.localhost', 'Nothing is served by this name'],
  ])('takes no more requests from a client that does not read the answers of %s', async (_name, host, body) => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end(body))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    const count = Math.ceil(30_000_000 / 10_000)
    const repeated = host === 'shop.localhost' ? count : 10 * count
    const isRead = /HTTP\/1\.1 \d+ /gu
    client.socket.pause()
    client.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`.repeat(repeated))
    const before = process.memoryUsage().rss
    let seen = -1
    while (seen !== client.socket.writableLength + service.requests.length) {
      seen = client.socket.writableLength + service.requests.length
      await new Promise((resolve) => setTimeout(resolve, 300))
    }
    expect(service.requests.length).toBeLessThan(count / 2)
    expect((process.memoryUsage().rss - before) / 1024 / 1024).toBeLessThan(100)
    client.socket.resume()
    await expect.poll(() => client.received().match(isRead)?.length, { timeout: 20_000 }).toBe(repeated)
  })
})
