// Clients that take nothing of what they asked for, or send nothing of what they began; and those that are merely silent.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { openHttp2, openRequest, openTls } from './testing/clients.ts'
import { openProxy, overSocket, rawClient, tableOf, target } from './testing/proxy-rig.ts'
import type { RawClient } from './testing/proxy-rig.ts'
import { httpService, rawService } from './testing/test-service.ts'
import type { HttpService, RawService } from './testing/test-service.ts'

const megabyte = 1024 * 1024
const head = 'HTTP/1.1\r\nHost: shop.localhost\r\n'

/** Answers a request by its text, and then writes as long as anybody takes it. */
async function endless(answer: (request: string) => string): Promise<RawService> {
  return await rawService((socket) => {
    const more = (): void => {
      while (!socket.destroyed && socket.write(Buffer.alloc(megabyte)));
    }
    socket.once('data', (chunk) => {
      socket.write(answer(String(chunk)))
      socket.on('drain', more)
      more()
    })
  })
}

/** Agrees to a WebSocket. */
function switching(request: string): string {
  const key = /sec-websocket-key: (\S+)/iu.exec(request)?.[1] ?? ''
  const accept = createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
  return `HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`
}

async function megabytes(count: number): Promise<HttpService> {
  return await httpService((_request, response) => {
    response.writeHead(200, { 'content-length': count * megabyte })
    for (let written = 0; written < count; written += 1) response.write(Buffer.alloc(megabyte))
    response.end()
  })
}

/** Resolves when the connection that the service was asked by is gone. */
async function isLetGo({ connections }: RawService): Promise<void> {
  await expect.poll(() => connections.length > 0 && connections.every(({ destroyed }) => destroyed)).toBe(true)
}

describe('Proxy', () => {
  it.each([
    ['plain', 'GET / '],
    ['tls', 'GET / '],
    ['plain', 'GET /ws '],
  ])('ends a connection whose client takes nothing of its answer (%s, %s)', async (kind, request) => {
    await using rig = await openProxy({ bodyIdleMs: 400 })
    await using service = await endless(request.includes('ws') ? switching : () => 'HTTP/1.1 200 OK\r\n\r\n')
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const socket = kind === 'tls' ? await openTls(rig, ['http/1.1']) : rawClient(rig.httpPort).socket
    using client: RawClient = overSocket(socket)
    client.socket.pause()
    client.write(
      `${request}${head}${request.includes('ws') ? 'Connection: Upgrade\r\nUpgrade: websocket\r\n' : ''}\r\n`,
    )
    await isLetGo(service)
  })

  it.each(['GET', 'CONNECT'])(
    'ends a stream of HTTP/2 of which nothing is taken, and no other (%s)',
    async (method) => {
      await using rig = await openProxy({ bodyIdleMs: 400 })
      await using service = await endless(method === 'GET' ? () => 'HTTP/1.1 200 OK\r\n\r\n' : switching)
      await using other = await httpService((_request, response) => response.end('here'))
      const rules = [
        { prefix: '/other', service: 'p1/other', stripPrefix: false },
        { prefix: '/', service: 'p1/web', stripPrefix: false },
      ]
      const targets = [target([service.port]), target([other.port], { key: 'p1/other' })]
      rig.proxy.receive({ type: 'routes', table: tableOf(targets, rules) })
      using client = await openHttp2(rig)
      await once(client.session, 'remoteSettings')
      const protocol = method === 'CONNECT' ? { ':protocol': 'websocket' } : {}
      const stream = client.request({ ':method': method, ':path': '/', ...protocol })
      stream.on('error', () => undefined).pause()
      await isLetGo(service)
      expect((await client.fetch({ ':path': '/other' })).body).toBe('here')
    },
  )

  it.each([false, true])('ends a request whose body does not go on (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy({ bodyIdleMs: 300 })
    await using service = await rawService((socket) => socket.resume())
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = isHttp2 ? await openHttp2(rig) : null
    const options = { ':method': 'POST', ':path': '/' }
    const upload: Duplex | ReturnType<typeof openRequest> =
      client === null ? openRequest(rig, '/', { method: 'POST' }) : client.request(options)
    upload.on('error', () => undefined)
    upload.write('some')
    await isLetGo(service)
  })

  it.each([false, true])('lets live whoever is silent, and asked for what is silent (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy({ bodyIdleMs: 200 })
    let say: ((text: string) => void) | null = null
    await using service = await httpService((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.write('data: 1\n\n')
      say = (text) => response.write(text)
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = isHttp2 ? await openHttp2(rig) : null
    const stream =
      client === null
        ? ((await once(openRequest(rig, '/').end(), 'response')) as [IncomingMessage])[0]
        : client.request({ ':path': '/' })
    await once(stream, 'data')
    await sleep(900)
    const next = once(stream, 'data')
    if (say !== null) (say as (text: string) => void)('data: 2\n\n')
    expect(String((await next)[0])).toBe('data: 2\n\n')
    stream.destroy()
  })

  it.each([false, true])('lets live whoever takes its answer slowly (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy({ bodyIdleMs: 1000, idleMs: 300, lingerMs: 100 })
    await using service = await megabytes(40)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = isHttp2 ? await openHttp2(rig) : null
    const stream =
      client === null
        ? ((await once(openRequest(rig, '/').end(), 'response')) as [IncomingMessage])[0]
        : client.request({ ':path': '/' })
    let length = 0
    let rested = 0
    for await (const chunk of stream) {
      length += (chunk as Buffer).length
      if (length - rested < megabyte) continue
      rested = length
      await sleep(40)
    }
    expect(length).toBe(40 * megabyte)
  })
})
