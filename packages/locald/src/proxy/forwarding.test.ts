// Bodies, trailers, informational answers and ends of connections, as they pass through.
import { once } from 'node:events'
import { createHash } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from 'vitest'
import { answerTo, fetchBy, http2Answer, openHttp2, openRequest } from './testing/clients.ts'
import { openProxy, rawClient, sendRaw, tableOf, target } from './testing/proxy-rig.ts'
import { httpService, rawService } from './testing/test-service.ts'

const host = 'Host: shop.localhost\r\n'
const megabyte = 1024 * 1024

/** Writes so many megabytes as fast as they are taken. */
async function writeMegabytes(
  stream: { write(chunk: Buffer): boolean; end(): unknown; once(event: string, tell: () => void): unknown },
  count: number,
): Promise<void> {
  const chunk = Buffer.alloc(megabyte)
  for (let index = 0; index < count; index += 1) {
    chunk.fill(index % 251)
    if (!stream.write(Buffer.from(chunk))) await new Promise<void>((resolve) => stream.once('drain', resolve))
  }
  stream.end()
}

function expectedHash(count: number): string {
  const hash = createHash('sha1')
  for (let index = 0; index < count; index += 1) hash.update(Buffer.alloc(megabyte, index % 251))
  return hash.digest('hex')
}

async function hashOf(stream: AsyncIterable<Buffer>): Promise<string> {
  const hash = createHash('sha1')
  for await (const chunk of stream) hash.update(chunk)
  return hash.digest('hex')
}

describe('Proxy', () => {
  it.each([false, true])('passes trailers both ways (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      request.resume()
      request.on('end', () => {
        response.writeHead(200, { trailer: 'x-sum' })
        response.write('body')
        const { 'x-sent': sent = 'none', authorization = 'none' } = request.trailers
        response.addTrailers({ 'x-sum': `${sent} ${authorization}` })
        response.end()
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    if (isHttp2) {
      using client = await openHttp2(rig)
      const stream = client.session.request(
        { ':method': 'POST', ':path': '/', te: 'trailers' },
        { waitForTrailers: true },
      )
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sent': '1' }))
      stream.end('x')
      const { body, trailers } = await http2Answer(stream)
      expect([body, trailers['x-sum']]).toEqual(['body', '1 none'])
    } else {
      const answer = await sendRaw(
        rig.httpPort,
        `POST / HTTP/1.1\r\n${host}TE: trailers\r\nConnection: TE, close\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nX-Sent: 1\r\nAuthorization: y\r\n\r\n`,
      )
      expect(answer).toMatch(/body\r\n0\r\nx-sum: 1 none\r\n\r\n$/u)
    }
  })

  it('lets the service say that it wants the body, and only then gets it', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => request.pipe(response))
    const expected = once(service.server, 'checkContinue')
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write(`POST / HTTP/1.1\r\n${host}Expect: 100-continue\r\nContent-Length: 2\r\n\r\n`)
    const [request, response] = (await expected) as [IncomingMessage, import('node:http').ServerResponse]
    expect(client.received()).toBe('')
    response.writeContinue()
    await client.waitFor(/^HTTP\/1\.1 100 Continue\r\n\r\n$/u)
    request.pipe(response)
    client.write('ab')
    await client.waitFor(/HTTP\/1\.1 200 OK.*ab/su)
  })

  it.each([false, true])('passes early hints on (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => {
      response.writeEarlyHints({ link: '</a.css>; rel=preload' }, () => response.end('here'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    if (isHttp2) {
      using client = await openHttp2(rig)
      const stream = client.request({ ':path': '/' })
      const [hints] = await once(stream, 'headers')
      expect(hints).toMatchObject({ ':status': 103, link: '</a.css>; rel=preload' })
      expect((await http2Answer(stream)).body).toBe('here')
    } else {
      const request = openRequest(rig, '/')
      const hints = once(request, 'information')
      request.end()
      const answer = answerTo(request)
      expect((await hints)[0]).toMatchObject({ statusCode: 103 })
      expect((await answer).body).toBe('here')
    }
  })

  it.each([false, true])('bounds how often a service informs before it answers (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy()
    let informations = 100
    await using service = await rawService((socket) => {
      socket.on('data', () => {
        for (let count = 0; count < informations; count += 1) socket.write('HTTP/1.1 103 Early Hints\r\nX-A: b\r\n\r\n')
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = isHttp2 ? await openHttp2(rig) : null
    const fetch = async (): Promise<readonly [number | undefined, string]> => {
      if (client === null) {
        const { response, body } = await fetchBy(rig, '/')
        return [response.statusCode, body]
      }
      const { status, body } = await client.fetch({ ':path': '/' })
      return [status, body]
    }
    expect(await fetch()).toEqual([200, 'here'])
    informations = 101
    const [used] = service.connections
    if (used === undefined) throw new Error('There is no connection')
    const closed = once(used, 'close')
    const [status, body] = await fetch()
    expect([status, body]).toEqual([502, expect.stringContaining('more than 100 informational answers')])
    await closed
  })

  it.each([false, true])('passes each event of a stream on as it comes (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy()
    let write = (_text: string): void => undefined
    await using service = await httpService((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.flushHeaders()
      write = (text) => response.write(text)
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const seen: string[] = []
    using client = isHttp2 ? await openHttp2(rig) : null
    const request = openRequest(rig, '/').on('error', () => undefined)
    const stream =
      client === null
        ? ((await once(request.end(), 'response'))[0] as IncomingMessage)
        : client.request({ ':path': '/' })
    if (client !== null) await once(stream, 'response')
    stream.setEncoding('utf8').on('data', (chunk: string) => seen.push(chunk))
    for (const event of ['data: 1\n\n', 'data: 2\n\n']) {
      write(event)
      await once(stream, 'data')
      expect(seen.at(-1)).toBe(event)
    }
    request.destroy()
  })

  it.each([
    ['HTTP/1.1', false],
    ['TLS', true],
  ])('carries large bodies both ways in little memory (%s)', async (_name, secure) => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      if (request.method === 'GET') void writeMegabytes(response, 250)
      else void hashOf(request).then((hash) => response.end(hash))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const before = process.memoryUsage.rss()
    let most = before
    const watch = setInterval(() => (most = Math.max(most, process.memoryUsage.rss())), 20)
    const download = openRequest(rig, '/', { secure }).end()
    const [response] = (await once(download, 'response')) as [IncomingMessage]
    expect(await hashOf(response)).toBe(expectedHash(250))
    const upload = openRequest(rig, '/', { secure, method: 'POST' })
    const answer = answerTo(upload)
    await writeMegabytes(upload, 250)
    expect((await answer).body).toBe(expectedHash(250))
    clearInterval(watch)
    expect((most - before) / megabyte).toBeLessThan(200)
  })

  it('keeps apart what many clients read at their own pace', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      const letter = request.url?.slice(1) ?? ''
      for (let count = 0; count < 6; count += 1) response.write(Buffer.alloc(megabyte, letter))
      response.end()
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    const read = async (letter: string, stream: AsyncIterable<Buffer>): Promise<number> => {
      let length = 0
      for await (const chunk of stream) {
        length += chunk.length
        if (!chunk.equals(Buffer.alloc(chunk.length, letter))) throw new Error(`Not only ${letter} at ${length}`)
        await new Promise((resolve) => setImmediate(resolve))
      }
      return length
    }
    const downloads = Array.from('abcdefghijkl').map(async (letter, index) => {
      if (index % 3 === 0) return await read(letter, client.request({ ':path': `/${letter}` }))
      const request = openRequest(rig, `/${letter}`, { secure: index % 3 === 1 }).end()
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      return await read(letter, response)
    })
    expect(new Set(await Promise.all(downloads))).toEqual(new Set([6 * megabyte]))
  })

  it('carries large bodies both ways over HTTP/2', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      if (request.method === 'GET') void writeMegabytes(response, 50)
      else void hashOf(request).then((hash) => response.end(hash))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    expect(await hashOf(client.request({ ':path': '/' }))).toBe(expectedHash(50))
    const upload = client.request({ ':path': '/', ':method': 'POST' })
    const answer = http2Answer(upload)
    await writeMegabytes(upload, 50)
    expect((await answer).body).toBe(expectedHash(50))
  })

  it.each(['plain', 'http2'])('does not read a service further than its client does (%s)', async (kind) => {
    await using rig = await openProxy()
    let written = 0
    await using service = await rawService((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${400 * megabyte}\r\n\r\n`)
        const more = (): void => {
          while (written < 400 && socket.write(Buffer.alloc(megabyte))) written += 1
          written += 1
        }
        socket.on('drain', more)
        more()
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = kind === 'http2' ? await openHttp2(rig) : rawClient(rig.httpPort)
    if ('request' in client) client.request({ ':path': '/' }).pause()
    else {
      client.socket.pause()
      client.write(`GET / HTTP/1.1\r\n${host}\r\n`)
    }
    // Until nothing has been taken for a while.
    const isAtRest = async (): Promise<boolean> => {
      const before = written
      await new Promise((resolve) => setTimeout(resolve, 200))
      return written === before && written > 0
    }
    while (!(await isAtRest()));
    expect(written).toBeLessThan(60)
  })

  it.each(['plain', 'tls', 'http2'])('tells the service that its client is gone (%s)', async (kind) => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => {
      response.write('begun')
    })
    const closed = new Promise((resolve) => {
      service.server.on('request', (request: IncomingMessage) => request.once('close', resolve))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    if (kind === 'http2') {
      using client = await openHttp2(rig)
      const stream = client.request({ ':path': '/' })
      await once(stream, 'data')
      stream.close(8)
      await closed
      return
    }
    const request = openRequest(rig, '/', { secure: kind === 'tls' }).end()
    const [response] = (await once(request, 'response')) as [IncomingMessage]
    await once(response, 'data')
    request.on('error', () => undefined).destroy()
    await closed
  })

  it.each([
    ['before a byte of the answer', (): string => ''],
    ['within the head', (): string => 'HTTP/1.1 200 OK\r\nContent-'],
  ])('answers 502 when the connection to the service breaks %s', async (_name, bytes) => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => socket.end(bytes()))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await fetchBy(rig, '/')).response.statusCode).toBe(502)
    using client = await openHttp2(rig)
    expect((await client.fetch({ ':path': '/' })).status).toBe(502)
  })

  it.each([
    ['length', 'Content-Length: 10\r\n\r\nfive!'],
    ['chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nfive!\r\n'],
    ['bad chunks', 'Transfer-Encoding: chunked\r\n\r\n5\r\nfive!\r\nnone\r\n'],
  ])('never passes an answer that breaks off for a whole one (%s)', async (_name, rest) => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => socket.end(`HTTP/1.1 200 OK\r\n${rest}`))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    await expect(fetchBy(rig, '/')).rejects.toThrow()
    using client = await openHttp2(rig)
    await expect(client.fetch({ ':path': '/' })).rejects.toThrow()
  })

  it('passes on an answer that only the end of the connection ends', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => socket.end('HTTP/1.0 200 OK\r\n\r\nall of it'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await fetchBy(rig, '/')).body).toBe('all of it')
    expect(await sendRaw(rig.httpPort, `GET / HTTP/1.0\r\n${host}\r\n`)).toMatch(/\r\n\r\nall of it$/u)
    using client = await openHttp2(rig)
    expect((await client.fetch({ ':path': '/' })).body).toBe('all of it')
  })

  it('gives a client of HTTP/1.0 no chunks', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => {
      response.write('a')
      response.end('b')
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const answer = await sendRaw(rig.httpPort, `GET / HTTP/1.0\r\n${host}\r\n`)
    expect(answer).toMatch(/\r\n\r\nab$/u)
    expect(answer).not.toMatch(/transfer-encoding/iu)
  })

  it('announces the length of what a HEAD does not send', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => {
      response.writeHead(200, { 'content-length': 5 })
      response.end()
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const { response } = await fetchBy(rig, '/', { method: 'HEAD' })
    expect(response.headers['content-length']).toBe('5')
    using client = await openHttp2(rig)
    expect((await client.fetch({ ':path': '/', ':method': 'HEAD' })).headers['content-length']).toBe('5')
  })

  it.each([
    ['204 with a length', 'GET', '204 No Content\r\nContent-Length: 4'],
    ['204 with chunks', 'GET', '204 No Content\r\nTransfer-Encoding: chunked'],
    ['304 with a length', 'GET', '304 Not Modified\r\nContent-Length: 4'],
    ['HEAD with a length', 'HEAD', '200 OK\r\nContent-Length: 4'],
    ['HEAD with chunks', 'HEAD', '200 OK\r\nTransfer-Encoding: chunked'],
  ])('sends nothing more where a body that must not be may still come (%s)', async (_name, method, head) => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.on('data', () => socket.write(`HTTP/1.1 ${head}\r\n\r\n`))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const first = await fetchBy(rig, '/', { method })
    const second = await fetchBy(rig, '/', { method })
    expect([first.response.statusCode, second.response.statusCode]).not.toContain(502)
    expect(service.connections.length).toBe(2)
  })

  it.each([
    ['204', 204, 'GET', '204 No Content'],
    ['304', 304, 'GET', '304 Not Modified'],
    ['HEAD', 200, 'HEAD', '200 OK'],
    ['103', 204, 'GET', '103 Early Hints\r\n\r\nHTTP/1.1 204 No Content'],
    ['no more than was announced', 200, 'GET', '200 OK\r\nContent-Length: 0'],
  ])('loses no request to bytes that come late (%s)', async (_name, status, method, head) => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 ${head}\r\n\r\n`)
        // Only with the next request: it is on its way when they come.
        socket.once('data', () => socket.write('late'))
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    for (let count = 0; count < 3; count += 1) {
      expect((await fetchBy(rig, '/', { method })).response.statusCode).toBe(status)
    }
    expect(service.connections.length).toBe(3)
  })

  it('lets go of an idle connection on which bytes come', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.on('data', () => socket.write('HTTP/1.1 204 No Content\r\n\r\n'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await fetchBy(rig, '/')).response.statusCode).toBe(204)
    const [idle] = service.connections
    if (idle === undefined) throw new Error('There is no connection')
    const closed = once(idle, 'close')
    idle.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate')
    await closed
    expect((await fetchBy(rig, '/')).response.statusCode).toBe(204)
  })

  it('closes when the service answered before the request was whole', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => {
      response.writeHead(413).end('too much')
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write(`POST / HTTP/1.1\r\n${host}Content-Length: 100\r\n\r\nabc`)
    expect(await client.closed).toMatch(/^HTTP\/1\.1 413 .*Connection: close.*too much/su)
    using http2 = await openHttp2(rig)
    const stream = http2.request({ ':path': '/', ':method': 'POST' })
    stream.write('abc')
    expect(await http2Answer(stream)).toMatchObject({ status: 413, body: 'too much' })
  })

  it('sends nothing else on a connection that has carried a body in chunks', async () => {
    await using rig = await openProxy()
    // Says that it keeps the connection, whatever it was told.
    await using service = await rawService((socket) => {
      socket.on('data', (chunk) => {
        if (!String(chunk).includes('POST')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
        if (String(chunk).includes('0\r\n\r\n')) {
          const head = String(chunk).split('\r\n\r\n', 1)[0] ?? ''
          socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${head.length}\r\n\r\n${head}`)
        }
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const request = `POST / HTTP/1.1\r\n${host}TE: trailers\r\nConnection: TE, close\r\n`
    const seen = await sendRaw(rig.httpPort, `${request}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n`)
    expect(seen).toMatch(/TE: trailers\r\nConnection: TE, close/u)
    for (let count = 0; count < 3; count += 1) expect((await fetchBy(rig, '/')).body).toBe('here')
    expect(service.connections).toHaveLength(2)
  })

  it('drops what is for one connection alone, both ways', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', (chunk) => {
        const body = String(chunk)
        socket.end(
          `HTTP/1.1 200 OK\r\nConnection: X-Mine, close\r\nX-Mine: 1\r\nTrailer: X-A\r\nKeep-Alive: timeout=5\r\nProxy-Authenticate: x\r\nAlt-Svc: h3\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        )
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const sent = `GET / HTTP/1.1\r\n${host}Connection: close, X-Yours, X-Forwarded-For\r\nX-Yours: 1\r\nTrailer: X-B\r\nTE: gzip\r\nKeep-Alive: x\r\nProxy-Authorization: y\r\nHTTP2-Settings: z\r\nUpgrade: h2c\r\n\r\n`
    const [head = '', received = ''] = (await sendRaw(rig.httpPort, sent)).split('\r\n\r\n', 2)
    expect(head).not.toMatch(/x-mine|trailer|keep-alive|proxy-|alt-svc/iu)
    expect(received).not.toMatch(/x-yours|^te:|trailer|keep-alive|proxy-|http2|upgrade:|connection:/imu)
    expect(received).toMatch(/x-forwarded-for: 127\.0\.0\.1/iu)
    using client = await openHttp2(rig)
    const { headers } = await client.fetch({ ':path': '/' })
    expect(Object.keys(headers)).not.toContain('keep-alive')
  })

  it('joins the cookies of HTTP/2, and keeps those of answers apart', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      response.setHeader('set-cookie', ['a=1', 'b=2']).end(request.headers.cookie)
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    const { headers, body } = await client.fetch({ ':path': '/', cookie: ['x=1', 'y=2'] })
    expect([headers['set-cookie'], body]).toEqual([['a=1', 'b=2'], 'x=1; y=2'])
    expect((await fetchBy(rig, '/')).response.headers['set-cookie']).toEqual(['a=1', 'b=2'])
  })
})
