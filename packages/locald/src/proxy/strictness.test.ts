// What could be read in two ways, or reaches further than its own message, is refused.
import { describe, expect, it } from 'vitest'
import { fetchBy } from './testing/clients.ts'
import { openProxy, rawClient, sendRaw, tableOf, target } from './testing/proxy-rig.ts'
import { httpService, rawService } from './testing/test-service.ts'

const host = 'Host: shop.localhost\r\n'

const refused: readonly (readonly [string, number, string])[] = [
  ['two hosts', 400, `GET / HTTP/1.1\r\n${host}${host}\r\n`],
  ['no host', 400, 'GET / HTTP/1.1\r\n\r\n'],
  ['a host that is none', 400, 'GET / HTTP/1.1\r\nHost: shop.localhost/x\r\n\r\n'],
  ['a host with a user', 400, 'GET / HTTP/1.1\r\nHost: a@shop.localhost\r\n\r\n'],
  ['a target with another host', 400, `GET http://evil.localhost/ HTTP/1.1\r\n${host}\r\n`],
  ['a target that is no path', 400, `GET shop HTTP/1.1\r\n${host}\r\n`],
  ['CONNECT', 405, `CONNECT shop.localhost:443 HTTP/1.1\r\n${host}\r\n`],
  [
    'a length and chunks',
    400,
    `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  ['two lengths', 400, `POST / HTTP/1.1\r\n${host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd`],
  ['a list of lengths', 400, `POST / HTTP/1.1\r\n${host}Content-Length: 3, 4\r\n\r\nabcd`],
  ['a length with a sign', 400, `POST / HTTP/1.1\r\n${host}Content-Length: +3\r\n\r\nabc`],
  ['a length in hexadecimal', 400, `POST / HTTP/1.1\r\n${host}Content-Length: 0x3\r\n\r\nabc`],
  ['an unknown encoding', 501, `POST / HTTP/1.1\r\n${host}Transfer-Encoding: xchunked\r\n\r\n`],
  ['chunks twice', 501, `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked, chunked\r\n\r\n`],
  ['two encodings', 501, `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n`],
  ['chunks in HTTP/1.0', 400, `POST / HTTP/1.0\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`],
  ['a folded line', 400, `GET / HTTP/1.1\r\n${host}X: a\r\n b\r\n\r\n`],
  ['a space before a colon', 400, `POST / HTTP/1.1\r\n${host}Transfer-Encoding : chunked\r\n\r\n`],
  ['a line without a colon', 400, `GET / HTTP/1.1\r\n${host}X\r\n\r\n`],
  ['an empty name', 400, `GET / HTTP/1.1\r\n${host}: x\r\n\r\n`],
  ['bare line feeds', 400, 'GET / HTTP/1.1\nHost: shop.localhost\n\n'],
  ['one bare line feed', 400, `GET / HTTP/1.1\r\n${host}X: a\nY: b\r\n\r\n`],
  ['a bare carriage return', 400, `GET / HTTP/1.1\r\n${host}X: a\rY: b\r\n\r\n`],
  ['a NUL', 400, `GET / HTTP/1.1\r\n${host}X: a\0b\r\n\r\n`],
  ['a space in the target', 400, `GET /a b HTTP/1.1\r\n${host}\r\n`],
  ['two spaces', 400, `GET  / HTTP/1.1\r\n${host}\r\n`],
  ['a tab', 400, `GET\t/ HTTP/1.1\r\n${host}\r\n`],
  ['another version', 505, `GET / HTTP/3.0\r\n${host}\r\n`],
  ['a version in lower case', 400, `GET / http/1.1\r\n${host}\r\n`],
  ['HTTP/0.9', 400, 'GET /\r\n\r\n'],
  ['too large a head', 431, `GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(70_000)}\r\n\r\n`],
  ['too many fields', 431, `GET / HTTP/1.1\r\n${host}${'X: a\r\n'.repeat(300)}\r\n`],
  ['what is TLS', 400, '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03'],
]

describe('Proxy', () => {
  it.each(refused)('refuses %s', async (_name, status, bytes) => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const answer = await sendRaw(rig.httpPort, bytes)
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} .*Connection: close`, 'su'))
    expect(answer.match(/HTTP\/1\.1 [0-9]/gu)).toHaveLength(1)
    expect(service.requests).toEqual([])
  })

  it.each([
    ['a bad size', '5x\r\nhello\r\n0\r\n\r\n'],
    ['a negative size', '-1\r\nhello\r\n0\r\n\r\n'],
    ['a bare line feed after a size', '5\nhello\r\n0\r\n\r\n'],
    ['no line end after data', '5\r\nhelloX\r\n0\r\n\r\n'],
    ['a size beyond all bounds', 'fffffffffffffffff\r\nhello'],
    ['an endless extension', `5;${'x'.repeat(10_000)}`],
    ['trailers without a name', '0\r\n: x\r\n\r\n'],
  ])('breaks off a chunked body with %s', async (_name, body) => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      request.resume()
      request.on('end', () => response.end('whole'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const bytes = `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n${body}`
    expect(await sendRaw(rig.httpPort, bytes)).toMatch(/^HTTP\/1\.1 400 /u)
  })

  it('sends what belongs to one request with that request alone', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.on('data', (chunk) => {
        const count = String(chunk).split('HTTP/1.1\r\n').length - 1
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n${count}`)
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const one = `GET / HTTP/1.1\r\n${host}\r\n`
    const last = `GET / HTTP/1.1\r\n${host}Connection: close\r\n\r\n`
    const answers = await sendRaw(rig.httpPort, `${one}\r\n${one}${last}`)
    expect(answers.match(/\r\n\r\n1/gu)).toHaveLength(3)
  })

  it.each([
    ['a length and chunks', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab'],
    ['a bare line feed', 'HTTP/1.1 200 OK\r\nX: a\nSet-Cookie: b\r\n\r\n'],
    ['no HTTP at all', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['another status', 'HTTP/1.1 99 Low\r\n\r\n'],
    ['an upgrade that nobody asked for', 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n'],
    ['too large a head', `HTTP/1.1 200 OK\r\nX: ${'a'.repeat(80_000)}\r\n\r\n`],
  ])('takes %s for no answer', async (_name, bytes) => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => socket.write(bytes, 'latin1'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const { response, body } = await fetchBy(rig, '/')
    expect(response.statusCode).toBe(502)
    expect(body).not.toContain('Set-Cookie')
  })

  it('takes nothing that comes after an answer for the answer to another request', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      const more = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil'
      socket.once('data', () => socket.write(`HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood${more}`))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await fetchBy(rig, '/')).body).toBe('good')
    expect((await fetchBy(rig, '/')).body).toBe('good')
    expect(service.connections).toHaveLength(2)
  })

  it('ends a head that does not come to its end in time', async () => {
    await using rig = await openProxy({ headMs: 200 })
    using client = rawClient(rig.httpPort)
    client.write('GET / HTTP/1.1\r\nHost: shop')
    expect(await client.closed).toMatch(/^HTTP\/1\.1 408 /u)
  })
})
