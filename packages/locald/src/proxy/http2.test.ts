// What is special about HTTP/2.
import { once } from 'node:events'
import { connect as connectHttp2, constants } from 'node:http2'
import type { ClientHttp2Stream } from 'node:http2'
import { describe, expect, it } from 'vitest'
import { http2Answer, openHttp2 } from './testing/clients.ts'
import { parseHttp2Head } from './http2-head.ts'
import { openProxy, tableOf, target } from './testing/proxy-rig.ts'
import { httpService, rawService } from './testing/test-service.ts'

const get = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'shop.localhost']

describe('parseHttp2Head()', () => {
  it.each([
    ['a line end in a value', [...get, 'x', 'a\r\nb: c']],
    ['a NUL in a value', [...get, 'x', 'a\0b']],
    [
      'a line end in the path',
      [':method', 'GET', ':scheme', 'https', ':path', '/ HTTP/1.1\r\nx: y', ':authority', 'a'],
    ],
    ['a space in the path', [':method', 'GET', ':scheme', 'https', ':path', '/ HTTP/1.1', ':authority', 'a']],
    ['a method with a space', [':method', 'GET /x', ':scheme', 'https', ':path', '/', ':authority', 'a']],
    ['a name with a colon', [...get, 'a:b', 'c']],
    ['another host', [...get, 'host', 'other.localhost']],
    ['two hosts', [...get, 'host', 'shop.localhost', 'host', 'shop.localhost']],
    [
      'an authority with a user',
      [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'x@shop.localhost'],
    ],
    ['no authority', [':method', 'GET', ':scheme', 'https', ':path', '/']],
    ['a connection', [...get, 'connection', 'close']],
    ['chunks', [...get, 'transfer-encoding', 'chunked']],
    ['two lengths', [...get, 'content-length', '1', 'content-length', '2']],
  ])('refuses %s', (_name, raw) => {
    expect(parseHttp2Head(raw, true, () => 'key')).toMatchObject({ status: 400 })
  })

  it('knows no protocol but that of WebSockets', () => {
    const raw = [':method', 'CONNECT', ':protocol', 'x', ':scheme', 'https', ':path', '/', ':authority', 'a']
    expect(parseHttp2Head(raw, true, () => 'key')).toMatchObject({ status: 501 })
  })

  it('takes a host that says the same', () => {
    expect(parseHttp2Head([...get, 'host', 'SHOP.localhost'], true, () => 'key')).toMatchObject({
      host: 'shop.localhost',
    })
  })
})

/** Fields that a service may repeat, and that Node's HTTP/2 takes only once; and one that objects have by themselves. */
const oddFields = ['Access-Control-Request-Method', 'GET', 'Access-Control-Request-Method', 'PUT', 'Constructor', 'x']

async function breakOff(stream: ClientHttp2Stream, code: number): Promise<void> {
  stream.on('error', () => undefined).resume()
  const closed = new Promise((resolve) => stream.once('close', resolve))
  await Promise.race([new Promise((resolve) => stream.once('response', resolve)), closed])
  stream.close(code)
  await closed
}

describe('Proxy', () => {
  it('serves many streams at once', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => response.end(request.url))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    const answers = Array.from({ length: 200 }, (_, index) => client.fetch({ ':path': `/${index}` }))
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(answers.map((_, index) => `/${index}`))
  })

  it('passes on what HTTP/2 has only once, and names that objects have by themselves', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.writeHead(200, oddFields).end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    const stream = client.request({ ':path': '/' })
    const [headers] = await once(stream, 'response')
    expect(headers).toMatchObject({ 'access-control-request-method': 'GET', constructor: 'x' })
    stream.close()
  })

  it('ends the one stream whose answer HTTP/2 has no form for', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 999 Odd\r\nContent-Length: 9\r\n\r\n'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    const stream = client.request({ ':path': '/' })
    const [error]: unknown[] = await once(stream, 'error')
    expect(String(error)).toContain('NGHTTP2_INTERNAL_ERROR')
    expect(client.session.closed).toBe(false)
    rig.proxy.receive({ type: 'drain', id: 1, service: 'p1/web', instance: 1, timeoutMs: 10_000 })
    expect(await rig.waitFor('drained')).toEqual({ type: 'drained', id: 1, open: 0 })
  })

  it('serves HTTP/2 without TLS to those who know beforehand', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const session = connectHttp2(`http://127.0.0.1:${rig.httpPort}`)
    const answer = await http2Answer(session.request({ ':path': '/', ':authority': 'shop.localhost' }))
    expect(answer).toMatchObject({ status: 200, body: 'here' })
    session.destroy()
  })

  it.each([
    ['CANCEL', constants.NGHTTP2_CANCEL],
    ['REFUSED_STREAM', constants.NGHTTP2_REFUSED_STREAM],
    ['NO_ERROR', constants.NGHTTP2_NO_ERROR],
  ])('replaces a connection on which many requests were broken off, and fails no other (%s)', async (_name, reset) => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      response.write('here')
      if (request.url !== '/slow') response.end()
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    const lasting = client.request({ ':path': '/slow' })
    await once(lasting, 'response')
    let errors = 0
    client.session.on('error', () => (errors += 1))
    const gone = once(client.session, 'goaway')
    let count = 0
    while (!client.session.closed && count < 2000) {
      const streams = Array.from({ length: 50 }, () => client.request({ ':path': '/slow' }))
      await Promise.all(streams.map((stream) => breakOff(stream, reset)))
      count += streams.length
    }
    const [code] = await gone
    expect([code, errors, lasting.closed]).toEqual([constants.NGHTTP2_NO_ERROR, 0, false])
    expect(count).toBeLessThan(1000)
    using next = await openHttp2(rig)
    expect((await next.fetch({ ':path': '/' })).body).toBe('here')
  })
})
