// Clients that mean harm, or do not know what they do: many, slow, malformed. Others must not notice.
import { once } from 'node:events'
import type { RequestListener, ServerResponse } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { ClientHttp2Session } from 'node:http2'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { keptBytes } from './outgoing-blocks.ts'
import { fetchBy, openHttp2, openTls } from './testing/clients.ts'
import {
  endHeaders,
  endStream,
  frame,
  frameTypes,
  headerBlock,
  http2Preface,
  number32,
} from './testing/http2-frames.ts'
import { rssMegabytes, usedMegabytes } from './testing/memory-in-use.ts'
import { openProxy, tableOf, target } from './testing/proxy-rig.ts'
import type { ProxyRig } from './testing/proxy-rig.ts'
import { seededRandom } from './testing/seeded-random.ts'
import type { SeededRandom } from './testing/seeded-random.ts'
import { httpService } from './testing/test-service.ts'

const host = 'Host: shop.localhost\r\n'
const megabyte = 1024 * 1024

/** Heads that are none, that break off, and that are slow in coming. */
const heads: readonly ((random: SeededRandom) => Buffer)[] = [
  (random) => random.bytes(200),
  () => Buffer.from('GET / HTTP/1.1\r\nHo'),
  () => Buffer.from(`GET / HTTP/1.1\r\n${host}X: ${'a'.repeat(3000)}`),
  () => Buffer.from(`POST / HTTP/1.1\r\n${host}Content-Length: 1000000\r\n\r\nabc`),
  () => Buffer.from(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nffffffff\r\nabc`),
  () => Buffer.from(`POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\nzz\r\n`),
  () => Buffer.from(`GET / HTTP/1.1\r\n${host}${host}\r\n`),
  () => Buffer.from(`GET / HTTP/1.1\r\n${host}\r\n`.repeat(200)),
  () => Buffer.from(`GET / HTTP/1.1\r\nHost: other.example\r\n\r\n`),
  () => Buffer.from(`GET /ws HTTP/1.1\r\n${host}Connection: upgrade\r\nUpgrade: websocket\r\n\r\n`),
]

const opening = Buffer.concat([http2Preface, frame(frameTypes.settings, 0, 0)])
const request = [':method', 'GET', ':scheme', 'https', ':path', '/', ':authority', 'shop.localhost']
const headersOf = (stream: number, fields: readonly string[], flags: number = endStream | endHeaders): Buffer =>
  frame(frameTypes.headers, flags, stream, headerBlock(fields))

const manyResets = 'resets of all that is asked'

/** What follows the preface: requests of HTTP/2 that make no sense, or never end. */
const http2Shapes: readonly (readonly [string, (random: SeededRandom) => Buffer])[] = [
  ['random bytes', (random) => random.bytes(300)],
  ['random frames', (random) => frame(random.below(12), random.below(256), random.below(5), random.bytes(60))],
  ['no path', () => headersOf(1, [':method', 'GET', ':scheme', 'https', ':authority', 'shop.localhost'])],
  ['two paths', () => headersOf(1, [...request, ':path', '/'])],
  ['a pseudo header that there is none of', () => headersOf(1, [...request, ':colour', 'blue'])],
  ['a pseudo header after others', () => headersOf(1, ['x', 'y', ...request])],
  ['a name in upper case', () => headersOf(1, [...request, 'Cookie', 'a=b'])],
  ['a connection', () => headersOf(1, [...request, 'connection', 'keep-alive'])],
  ['an empty path', () => headersOf(1, [':method', 'GET', ':scheme', 'https', ':path', '', ':authority', 'a'])],
  ['a method that ends a line', () => headersOf(1, [':method', 'GET / HTTP/1.1\r\nx: y', ...request.slice(2)])],
  ['a stream of the other side', () => headersOf(2, request)],
  ['a stream that went before', () => Buffer.concat([headersOf(5, request), headersOf(3, request)])],
  ['data for no stream', () => frame(frameTypes.data, 0, 7, Buffer.alloc(100))],
  ['a body longer than it said', () => longBody()],
  ['a head without end', (random) => endlessHead(random)],
  [manyResets, () => resets(1100)],
  ['a thousand pings', () => repeated(1000, () => frame(frameTypes.ping, 0, 0, Buffer.alloc(8)))],
  ['a thousand settings', () => repeated(1000, () => frame(frameTypes.settings, 0, 0))],
  ['a window beyond all bounds', () => frame(frameTypes.windowUpdate, 0, 0, number32(0x7fffffff))],
  ['a window that does not grow', () => frame(frameTypes.windowUpdate, 0, 0, number32(0))],
  ['a frame that is too large', () => frame(frameTypes.headers, endHeaders, 1, Buffer.alloc(100_000))],
]

/** Those of which each is soon done with. */
const crowdShapes = http2Shapes.filter(([name]) => name !== manyResets)

function longBody(): Buffer {
  const fields = [':method', 'POST', ...request.slice(2), 'content-length', '3']
  return Buffer.concat([headersOf(1, fields, endHeaders), frame(frameTypes.data, endStream, 1, Buffer.alloc(1000))])
}

/** A head that goes on in frame after frame, 4 MB of it. */
function endlessHead(random: SeededRandom): Buffer {
  const more = repeated(1000, () =>
    frame(frameTypes.continuation, 0, 1, headerBlock(repeatedText(35, `x-${random.below(1e6)}`, 'a'.repeat(100)))),
  )
  return Buffer.concat([headersOf(1, request, endStream), more])
}

function resets(count: number): Buffer {
  let stream = -1
  return repeated(count, () => {
    stream += 2
    return Buffer.concat([headersOf(stream, request), frame(frameTypes.rstStream, 0, stream, number32(8))])
  })
}

function repeated(count: number, make: () => Buffer): Buffer {
  return Buffer.concat(Array.from({ length: count }, make))
}

function repeatedText(count: number, name: string, value: string): readonly string[] {
  return Array.from({ length: count }, (_, index) => [`${name}-${index}`, value]).flat()
}

/** The first thing that a client of TLS says. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const client = connectTls({ port: (server.address() as AddressInfo).port, servername: 'shop.localhost' })
  client.on('error', () => undefined)
  const [socket] = (await once(server, 'connection')) as [Socket]
  const [hello] = (await once(socket, 'data')) as [Buffer]
  client.destroy()
  socket.destroy()
  server.close()
  return hello
}

/** What looks like TLS for a while: a greeting with some bytes changed, cut off, or records of anything. */
function fuzzedTls(random: SeededRandom, hello: Buffer): Buffer {
  const kind = random.below(4)
  if (kind === 0) return random.bytes(1 + random.below(400))
  if (kind === 1) return hello.subarray(0, 1 + random.below(hello.length - 1))
  if (kind === 2) {
    const body = random.bytes(random.below(600))
    const record = Buffer.from([20 + random.below(6), 3, random.below(5), 0, 0])
    record.writeUInt16BE(random.pick([body.length, 0, 0x4000, 0xffff]), 3)
    return Buffer.concat([record, body])
  }
  const changed = Buffer.from(hello)
  for (let count = 1 + random.below(8); count > 0; count -= 1) changed[random.below(changed.length)] = random.below(256)
  return changed
}

/** Opens a connection, sends that, and goes away without a word. */
async function harass(port: number, bytes: Buffer): Promise<void> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await new Promise<void>((resolve) => {
    socket.once('close', () => resolve())
    socket.once('connect', () => socket.write(bytes, () => setImmediate(() => socket.destroy())))
  })
}

/** Opens a connection, sends that, and stays. */
async function besiege(port: number, bytes: Buffer): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined).resume()
  await once(socket, 'connect')
  socket.write(bytes)
  return socket
}

/** Asks for more than it will ever read. */
async function askAndNotRead(port: number): Promise<Socket> {
  const socket = await besiege(port, Buffer.from(`GET /large HTTP/1.1\r\n${host}\r\n`.repeat(100)))
  return socket.pause()
}

/** A request of HTTP/2 that waits for its answer. */
function ask(session: ClientHttp2Session, onStatus: (status: number) => void): void {
  const stream = session.request({ ':path': '/', ':authority': 'shop.localhost' })
  stream.on('error', () => undefined).resume()
  stream.once('response', (headers) => onStatus(Number(headers[':status'])))
}

async function expectGood(rig: ProxyRig): Promise<void> {
  expect((await fetchBy(rig, '/')).body).toBe('here')
  expect((await fetchBy(rig, '/', { secure: true })).body).toBe('here')
  using client = await openHttp2(rig)
  expect((await client.fetch({ ':path': '/' })).body).toBe('here')
}

describe('Proxy', () => {
  it(
    'bears ten thousand requests that are malformed, slow or never read, and answers good ones meanwhile',
    { timeout: 180_000 },
    async () => {
      // Node keeps a session of HTTP/2 that it has given up until we end it.
      await using rig = await openProxy({ idleMs: 2000 })
      const large = Buffer.alloc(megabyte)
      const answer: RequestListener = (message, response) => {
        message.resume()
        message.on('end', () => response.end(message.url === '/large' ? large : 'here'))
      }
      await using service = await httpService(answer, '127.0.0.1', false)
      rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
      await expectGood(rig)
      const random = seededRandom(1)
      const hello = await clientHello()
      const ports = [rig.httpPort, rig.httpsPort]
      let staying: Socket[] = []
      let [rssBefore, usedBefore] = [0, 0]
      for (let round = 0; round < 100; round += 1) {
        // Until then code is compiled, and memory taken that is used again.
        if (round === 20) [rssBefore, usedBefore] = [rssMegabytes(), await usedMegabytes()]
        const leaving = Array.from({ length: 88 }, async (_, index) => {
          if (index % 4 === 0) return await harass(rig.httpsPort, fuzzedTls(random, hello))
          if (index % 4 !== 1) return await harass(random.pick(ports), random.pick(heads)(random))
          const [, make] = random.pick(crowdShapes)
          return await harass(rig.httpPort, Buffer.concat([opening, make(random)]))
        })
        for (let count = 0; count < 11; count += 1) {
          staying.push(await besiege(random.pick(ports), random.pick(heads)(random)))
        }
        if (round % 2 === 0) staying.push(await askAndNotRead(rig.httpPort))
        else staying.push(await besiege(rig.httpsPort, hello))
        staying = staying.filter(({ destroyed }) => !destroyed)
        for (const socket of staying) if (random.below(10) === 0) socket.write('x')
        if (round % 10 === 0) await expectGood(rig)
        await Promise.all(leaving)
      }
      await expectGood(rig)
      expect(rssMegabytes() - rssBefore).toBeLessThan(250)
      expect(rig.told.filter(({ type }) => type === 'log')).toEqual([])
      for (const socket of staying) socket.destroy()
      staying = []
      // Nothing is kept of those that are gone.
      await expect.poll(keptBytes).toBe(0)
      await expect.poll(async () => (await usedMegabytes()) - usedBefore, { timeout: 15_000 }).toBeLessThan(10)
    },
  )

  it.each(http2Shapes)('bears %s of HTTP/2, within TLS and without', async (_name, make) => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const random = seededRandom(2)
    const before = rssMegabytes()
    for (let round = 0; round < 5; round += 1) {
      const bytes = Buffer.concat([opening, make(random)])
      const plain = connect({ port: rig.httpPort, host: '127.0.0.1' })
      const sockets = [plain, await openTls(rig, ['h2'])]
      for (const socket of sockets) {
        socket.on('error', () => undefined).resume()
        socket.write(bytes)
      }
      await expectGood(rig)
      for (const socket of sockets) socket.destroy()
    }
    expect(rssMegabytes() - before).toBeLessThan(100)
  })

  it('bears bytes that are no records within a connection that had agreed on TLS', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const random = seededRandom(3)
    for (let round = 0; round < 50; round += 1) {
      const raw = connect({ port: rig.httpsPort, host: '127.0.0.1' })
      const tls = connectTls({
        socket: raw,
        servername: 'shop.localhost',
        ca: rig.ca,
        ALPNProtocols: [random.pick(['h2', 'http/1.1'])],
      })
      tls.on('error', () => undefined).resume()
      await once(tls, 'secureConnect')
      const closed = new Promise((resolve) => raw.once('close', resolve))
      raw.write(random.bytes(1 + random.below(300)), () => setImmediate(() => raw.destroy()))
      await closed
    }
    await expectGood(rig)
  })

  it('keeps no more than a part of each answer of HTTP/2 of which nothing is taken', async () => {
    await using rig = await openProxy()
    const large = Buffer.alloc(megabyte)
    await using service = await httpService((_request, response) => response.end(large))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const noWindow = Buffer.concat([Buffer.from([0, 4]), number32(0)])
    const start = Buffer.concat([http2Preface, frame(frameTypes.settings, 0, 0, noWindow)])
    const asked = Array.from({ length: 50 }, (_, index) => headersOf(2 * index + 1, request))
    const before = rssMegabytes()
    const sockets: Socket[] = []
    for (let count = 0; count < 5; count += 1) {
      sockets.push(await besiege(rig.httpPort, Buffer.concat([start, ...asked])))
    }
    await expect.poll(() => service.requests.length, { timeout: 10_000 }).toBe(250)
    expect((await fetchBy(rig, '/')).body.length).toBe(megabyte)
    expect(rssMegabytes() - before).toBeLessThan(150)
    for (const socket of sockets) socket.destroy()
  })

  it('counts the small pieces, too, of which nothing is taken', async () => {
    await using rig = await openProxy()
    const answers: ServerResponse[] = []
    await using service = await httpService((_request, response) => void answers.push(response))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const noWindow = frame(frameTypes.settings, 0, 0, Buffer.concat([Buffer.from([0, 4]), number32(0)]))
    const before = keptBytes()
    const socket = await besiege(rig.httpPort, Buffer.concat([http2Preface, noWindow, headersOf(1, request)]))
    await expect.poll(() => answers.length).toBe(1)
    for (let count = 1; count <= 5; count += 1) {
      answers[0]?.write(Buffer.alloc(7000))
      await expect.poll(() => keptBytes() - before).toBe(count * 7000)
    }
    socket.destroy()
    await expect.poll(keptBytes).toBe(before)
  })

  it('refuses what more requests ask than services may have at once, until some have been answered', async () => {
    await using rig = await openProxy()
    const waiting: ServerResponse[] = []
    await using service = await httpService((_request, response) => void waiting.push(response), '127.0.0.1', false)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    // 17 × 241 are one more than there may be; a service's queue takes a few hundred at once.
    const sessions = Array.from({ length: 17 }, () => connectHttp2(`http://127.0.0.1:${rig.httpPort}`))
    const statuses: number[] = []
    for (const [index, session] of sessions.entries()) {
      for (let count = 0; count < 241; count += 1) ask(session, (status) => statuses.push(status))
      await expect.poll(() => waiting.length + statuses.length, { timeout: 5000 }).toBe(241 * (index + 1))
    }
    expect([waiting.length, ...statuses]).toEqual([4096, 503])
    waiting.pop()?.end('here')
    await expect.poll(() => statuses).toEqual([503, 200])
    for (const session of sessions) session.destroy()
    const answered = waiting.length
    const last = fetchBy(rig, '/')
    await expect.poll(() => waiting.length).toBe(answered + 1)
    waiting.at(-1)?.end('here')
    expect((await last).body).toBe('here')
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
