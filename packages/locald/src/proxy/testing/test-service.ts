// Services for tests: one of node:http, and one that answers with bytes of the test's own.
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server as HttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'

export interface TestService extends AsyncDisposable {
  readonly port: number
}

export interface HttpService extends TestService {
  readonly server: HttpServer
  /** Every request that came, in order. */
  readonly requests: readonly IncomingMessage[]
}

/** Listens on IPv4, or on IPv6 alone. */
export async function httpService(
  listener: RequestListener,
  host: '127.0.0.1' | '::1' = '127.0.0.1',
): Promise<HttpService> {
  const requests: IncomingMessage[] = []
  const server = createHttpServer((request, response) => {
    requests.push(request)
    listener(request, response)
  })
  const port = await listenOn(server, host)
  return {
    server,
    port,
    requests,
    [Symbol.asyncDispose]: async () => {
      server.close()
      server.closeAllConnections()
      await (server.listening ? once(server, 'close') : undefined)
    },
  }
}

export interface RawService extends TestService {
  readonly connections: readonly Socket[]
}

/** `serve` gets each connection. */
export async function rawService(serve: (socket: Socket) => void): Promise<RawService> {
  const connections: Socket[] = []
  const server = createServer((socket) => {
    connections.push(socket)
    socket.on('error', () => undefined)
    serve(socket)
  })
  const port = await listenOn(server, '127.0.0.1')
  return {
    port,
    connections,
    [Symbol.asyncDispose]: async () => {
      for (const socket of connections) socket.destroy()
      server.close()
      await Promise.resolve()
    },
  }
}

async function listenOn(server: Server, host: string): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port // of TCP
}
