// Connections whose socket has been given to somebody else.
import { describe, expect, it } from 'vitest'
import { duplexPair } from '../lib/duplex-pair.ts'
import { ConnectionRegistry } from './connection-registry.ts'
import { Http1Connection } from './http1-connection.ts'
import { clientTimes, mostConnections } from './limits.ts'
import { emptyRouteTable } from './route-table.ts'

const never = (): never => {
  throw new Error('Nothing is asked of it here')
}
const context = {
  table: emptyRouteTable,
  gateOf: never,
  mayHold: never,
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
    const busy = { deadline: Infinity, isIdle: false, onDeadline: never, destroy: never }
    for (let count = 1; count < mostConnections; count += 1) registry.add({ ...busy })
    expect([registry.add({ ...busy }), socket.destroyed]).toEqual([false, false])
    client.destroy()
    socket.destroy()
  })
})
