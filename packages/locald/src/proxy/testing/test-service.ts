// Services for tests: one of node:http, and one that answers with bytes of the test's own.
import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server as HttpServer } from 'node:http'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Server, Socket } from 'node:net'
import { Worker } from 'node:worker_threads'

export interface TestService extends AsyncDisposable {
  readonly port: number
}

export interface HttpService extends TestService {
  readonly server: HttpServer
  /** Every request that came, in order, as long as they are remembered. */
  readonly requests: readonly IncomingMessage[]
}

/** Listens on IPv4, or on IPv6 alone; `remembers`: requests are kept to be looked at, which takes memory. */
export async function httpService(
  listener: RequestListener,
  host: '127.0.0.1' | '::1' = '127.0.0.1',
  remembers = true,
): Promise<HttpService> {
  const requests: IncomingMessage[] = []
  const server = createHttpServer((request, response) => {
    if (remembers) requests.push(request)
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

/** A port that has as many connections waiting as it takes, and accepts none of them: others are not even refused. */
export async function fullService(): Promise<TestService> {
  const worker = new Worker(
    `const { parentPort } = require('node:worker_threads')
    const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      parentPort.postMessage(server.address().port)
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
    })`,
    { eval: true },
  )
  const [port]: number[] = await once(worker, 'message')
  const waiting = [1, 2, 3, 4].map(() => connect({ port: port ?? 0, host: '127.0.0.1' }).on('error', () => undefined))
  await Promise.all(waiting.slice(0, 2).map((socket) => once(socket, 'connect')))
  return {
    port: port ?? 0,
    [Symbol.asyncDispose]: async () => {
      for (const socket of waiting) socket.destroy()
      await worker.terminate()
    },
  }
}

async function listenOn(server: Server, host: string): Promise<number> {
  server.listen(0, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port // of TCP
}
