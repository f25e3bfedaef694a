// A server on a unix socket that answers as a test tells it to: what a client sees of a daemon.
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeDaemon extends AsyncDisposable {
  readonly socket: string
  /** A LOCALD_HOME whose API socket this is. */
  readonly home: string
  /** Method, path and query of each request, in order. */
  readonly requests: readonly string[]
  /** Bodies of the POST requests. */
  readonly bodies: readonly unknown[]
  /** Breaks every connection, as a daemon that is killed does. */
  readonly kill: () => void
}

export type FakeAnswer = (request: FakeRequest) => void | Promise<void>

export interface FakeRequest {
  readonly method: string
  readonly path: string
  readonly query: URLSearchParams
  readonly body: unknown
  readonly response: ServerResponse
  /** Breaks this connection. */
  readonly breakOff: () => void
  readonly json: (value: unknown, status?: number) => void
}

export async function startFakeDaemon(answer: FakeAnswer, version = '1.2.3'): Promise<FakeDaemon> {
  const home = mkdtempSync(join(tmpdir(), 'fd-'))
  mkdirSync(join(home, 'run'))
  const socket = join(home, 'run', 'api.sock')
  const requests: string[] = []
  const bodies: unknown[] = []
  const server = createServer((request, response) => {
    void respond(request, response)
  })
  const respond = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = '', url = '' } = request
    requests.push(`${method} ${url}`)
    let text = ''
    for await (const chunk of request) text += String(chunk)
    const body: unknown = text === '' ? undefined : JSON.parse(text)
    if (body !== undefined) bodies.push(body)
    const { pathname, searchParams } = new URL(url, 'http://locald')
    response.setHeader('locald-version', version)
    await answer({
      method,
      path: pathname,
      query: searchParams,
      body,
      response,
      breakOff: () => request.socket.destroy(),
      json: (value, status = 200) => {
        response.writeHead(status, { 'content-type': 'application/json' })
        response.end(JSON.stringify(value))
      },
    })
  }
  server.listen(socket)
  await once(server, 'listening')
  return {
    socket,
    home,
    requests,
    bodies,
    kill: () => server.closeAllConnections(),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** One message of an event stream. */
export function eventText(event: { readonly seq: number }): string {
  return `id: ${event.seq}\ndata: ${JSON.stringify(event)}\n\n`
}
