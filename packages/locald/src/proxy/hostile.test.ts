// Clients that mean harm, or do not know what they do: many, slow, malformed. Others must not notice.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { fetchBy, openHttp2, openTls } from './testing/clients.ts'
import { openProxy, tableOf, target } from './testing/proxy-rig.ts'
import { httpService } from './testing/test-service.ts'

const host = 'Host: shop.localhost\r\n'
const shapes: readonly (() => Buffer)[] = [
  () => randomBytes(200),
  () => Buffer.from('GET / HTTP/1.1\r\nHo'),
  () => Buffer.from(`GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(3000)}`),
  () => Buffer.from(`POST / HTTP/1.1\r\n${host}Content-Length: 1000000\r\n\r\nabc`),
  () => Buffer.from(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nffffffff\r\nabc`),
  () => Buffer.from(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
  () => Buffer.from(`GET / HTTP/1.1\r\n${host}${host}\r\n`),
  () => Buffer.from(`GET / HTTP/1.1\r\n${host}\r\n`.repeat(200)),
  () => Buffer.from(`GET / HTTP/1.1\r\nHost: other.example\r\n\r\n`),
  () => Buffer.from(`GET /ws HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`),
  () => Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
  () => Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'), randomBytes(300)]),
  () => Buffer.from('\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', 'latin1'),
  () => Buffer.concat([Buffer.from('\x16\x03\x01\x01\x00', 'latin1'), randomBytes(256)]),
]

/** Opens a connection, sends that, and goes away without a word. */
async function harass(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.once('connect', () => socket.write(bytes, () => setImmediate(() => socket.destroy())))
  })
}

describe('Proxy', () => {
  it(
    'bears ten thousand malformed and broken off requests, and answers good ones meanwhile',
    { timeout: 120_000 },
    async () => {
      await using rig = await openProxy()
      await using service = await httpService((request, response) => {
        request.resume()
        request.on('end', () => response.end('here'))
      })
      rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
      await fetchBy(rig, '/', { secure: true })
      const before = process.memoryUsage().rss
      for (let round = 0; round < 100; round += 1) {
        const ports = [rig.httpPort, rig.httpsPort]
        const crowd = Array.from({ length: 100 }, async (_, index) => {
          const bytes = shapes[(round + index) % shapes.length]?.() ?? randomBytes(10)
          await harass(ports[index % 2] ?? rig.httpPort, bytes)
        })
        if (round % 20 === 0) {
          expect((await fetchBy(rig, '/')).body).toBe('here')
          expect((await fetchBy(rig, '/', { secure: true })).body).toBe('here')
        }
        await Promise.all(crowd)
      }
      using client = await openHttp2(rig)
      expect((await client.fetch({ ':path': '/' })).body).toBe('here')
      expect((process.memoryUsage().rss - before) / 1024 / 1024).toBeLessThan(250)
      expect(rig.told.filter(({ type }) => type === 'log')).toEqual([])
    },
  )

  it('bears frames of HTTP/2 that make no sense, within TLS', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    const settings = Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0])
    for (let round = 0; round < 50; round += 1) {
      const socket = await openTls(rig, ['h2'])
      socket.on('error', () => undefined)
      socket.resume()
      const frame = Buffer.concat([Buffer.from([0, 0, 40, round % 10, round & 0xff, 0, 0, 0, 1]), randomBytes(40)])
      socket.end(Buffer.concat([preface, settings, frame, randomBytes(100)]))
      await once(socket, 'close')
    }
    using client = await openHttp2(rig)
    expect((await client.fetch({ ':path': '/' })).body).toBe('here')
  })

  it('serves others while a thousand connections stay open and a thousand send a byte now and then', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const before = process.memoryUsage().rss
    const sockets: Socket[] = []
    for (let count = 0; count < 2000; count += 1) {
      const socket = connect({ port: rig.httpPort, host: '127.0.0.1' })
      socket.on('error', () => undefined)
      sockets.push(socket)
      await once(socket, 'connect')
      if (count % 2 === 1) socket.write('G')
    }
    for (let round = 0; round < 5; round += 1) {
      for (let index = 1; index < sockets.length; index += 2) sockets[index]?.write('E')
      expect((await fetchBy(rig, '/')).body).toBe('here')
    }
    expect((process.memoryUsage().rss - before) / 1024 / 1024).toBeLessThan(150)
    for (const socket of sockets) socket.destroy()
  })

  it.each([
    ['without TLS', false],
    ['that never agree on TLS', true],
  ])('closes what has been idle the longest of too many connections %s', { timeout: 60_000 }, async (_name, secure) => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const sockets: Socket[] = []
    for (let count = 0; count < 4096; count += 1) {
      const socket = connect({ port: secure ? rig.httpsPort : rig.httpPort, host: '127.0.0.1' })
      socket.on('error', () => undefined)
      sockets.push(socket)
      await once(socket, 'connect')
    }
    const [first] = sockets
    if (first === undefined) throw new Error('There is no connection')
    first.resume()
    expect((await fetchBy(rig, '/', { secure })).body).toBe('here')
    // Long before the time that a handshake may take.
    await expect.poll(() => first.destroyed, { timeout: 3000 }).toBe(true)
    for (const socket of sockets) socket.destroy()
  })

  it('ends a session of HTTP/2 on which nothing happens', async () => {
    await using rig = await openProxy({ idleMs: 200 })
    const session = connectHttp2(`http://127.0.0.1:${rig.httpPort}`)
    session.on('error', () => undefined)
    await once(session, 'close')
  })
})
