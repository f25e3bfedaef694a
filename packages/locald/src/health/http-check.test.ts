import { once } from 'node:events'
import { createServer } from 'node:http'
import { createServer as createRawServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { httpCheck } from './http-check.ts'
import type { HttpAttempt } from './http-check.ts'
import type { RequestListener, Server } from 'node:http'

const never = new AbortController().signal

class TestServer implements AsyncDisposable {
  readonly #server: Server
  constructor(server: Server) {
    this.#server = server
  }

  static async start(handle: RequestListener, host = '127.0.0.1'): Promise<TestServer> {
    const server = createServer(handle).listen(0, host)
    await once(server, 'listening')
    return new TestServer(server)
  }

  attempt(changes: Partial<HttpAttempt> = {}): HttpAttempt {
    const address = this.#server.address()
    const port = typeof address === 'object' && address !== null ? address.port : 0
    const defaults = { method: 'GET', path: '/', status: [[200, 399]] as const, headers: {}, timeoutMs: 5000 }
    return { ...defaults, port, addresses: ['127.0.0.1'], ...changes }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

describe('httpCheck()', () => {
  test.each([
    [200, true],
    [302, true],
    [399, true],
    [404, false],
    [503, false],
  ])('takes status %i as %s by default', async (code, ok) => {
    await using server = await TestServer.start((_request, response) => response.writeHead(code).end())
    const result = await httpCheck(server.attempt(), never)
    expect(result.ok).toBe(ok)
    expect(result.message).toMatch(new RegExp(`^GET / on port \\d+ answered ${code}$`))
  })

  test('says what was expected of an answer that is no error', async () => {
    await using server = await TestServer.start((_request, response) => response.end())
    const status = [
      [201, 201],
      [400, 404],
    ] as const
    const { ok, message } = await httpCheck(server.attempt({ status }), never)
    expect([ok, message]).toEqual([false, expect.stringMatching(/ answered 200, expected 201 or 400-404$/)])
  })

  test('asks with the given method, path and headers, as localhost, and closes the connection', async () => {
    const seen: unknown[] = []
    await using server = await TestServer.start(({ method, url, headers }, response) => {
      seen.push({ method, url, host: headers.host, token: headers['x-token'], connection: headers.connection })
      response.end()
    })
    await httpCheck(server.attempt({ method: 'HEAD', path: '/up?x=1', headers: { 'X-Token': 'a' } }), never)
    await httpCheck(server.attempt({ headers: { Host: 'shop.test' } }), never)
    expect(seen).toEqual([
      { method: 'HEAD', url: '/up?x=1', host: 'localhost', token: 'a', connection: 'close' },
      { method: 'GET', url: '/', host: 'shop.test', token: undefined, connection: 'close' },
    ])
  })

  test('keeps the beginning of an unhealthy body', async () => {
    await using server = await TestServer.start((_request, response) => response.writeHead(500).end('x'.repeat(10_000)))
    expect((await httpCheck(server.attempt(), never)).output).toBe('x'.repeat(4096))
  })

  test('answers at the head of a body that never ends, and lets go of it', async () => {
    let closed: Promise<unknown> = Promise.resolve()
    await using server = await TestServer.start((_request, response) => {
      closed = once(response, 'close')
      response.write('more to come')
    })
    expect(await httpCheck(server.attempt({ timeoutMs: 300 }), never)).toMatchObject({ ok: true })
    await closed
  })

  test('gives up on a server that hangs, and closes the connection', async () => {
    let closed: Promise<unknown> = Promise.resolve()
    await using server = await TestServer.start((_request, response) => {
      closed = once(response, 'close')
    })
    const result = await httpCheck(server.attempt({ timeoutMs: 100 }), never)
    expect(result).toMatchObject({ ok: false, message: expect.stringContaining('no answer within 100 ms') })
    await closed
  })

  test.each([
    ['HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n', 'answered 101'],
    ['HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\nshort', 'answered 500'],
    ['HTTP/1.1 503 Later\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n', 'answered 503'],
    ['220 mail.example.com ESMTP\r\n', 'HTTP'],
    ['', 'closed'],
  ])('ends with an answer such as %j', async (answer, message) => {
    const raw = createRawServer((socket) =>
      socket
        .on('error', () => {})
        .resume()
        .end(answer),
    ).listen(0, '127.0.0.1')
    await once(raw, 'listening')
    const { port } = raw.address() as AddressInfo
    const attempt = {
      method: 'GET',
      path: '/',
      port,
      addresses: ['127.0.0.1'],
      status: [[200, 399]],
      headers: {},
      timeoutMs: 5000,
    } as const
    expect(await httpCheck(attempt, never)).toMatchObject({ ok: false, message: expect.stringContaining(message) })
    await new Promise((resolve) => raw.close(resolve))
  })

  test('says that a connection was refused, and does not reject', async () => {
    const server = await TestServer.start(() => {})
    const attempt = server.attempt()
    await server[Symbol.asyncDispose]()
    expect(await httpCheck(attempt, never)).toMatchObject({
      ok: false,
      message: expect.stringContaining('connection refused'),
    })
  })

  test('tries the next address when the first refuses', async () => {
    await using server = await TestServer.start((_request, response) => response.end(), '127.0.0.1')
    expect(await httpCheck(server.attempt({ addresses: ['127.0.0.2', '127.0.0.1'] }), never)).toMatchObject({
      ok: true,
    })
  })

  test('does not reject a path that cannot be asked for', async () => {
    await using server = await TestServer.start((_request, response) => response.end())
    expect(await httpCheck(server.attempt({ path: '/a b' }), never)).toMatchObject({ ok: false })
  })

  test('stops at once when it is cancelled', async () => {
    const cancelled = new AbortController()
    await using server = await TestServer.start(() => cancelled.abort())
    expect(await httpCheck(server.attempt(), cancelled.signal)).toMatchObject({ ok: false })
  })
})
