// WebSockets and other protocols that take the place of HTTP.
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { http2Answer, openHttp2, openTls } from './testing/clients.ts'
import { openProxy, overSocket, rawClient, tableOf, target } from './testing/proxy-rig.ts'
import { rawService } from './testing/test-service.ts'
import type { RawService } from './testing/test-service.ts'

const upgrade =
  'GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'

function acceptFor(head: string): string {
  const key = /sec-websocket-key: (\S+)/iu.exec(head)?.[1] ?? ''
  return createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64')
}

/** Agrees to a WebSocket, says "first", and then everything that it hears. */
async function echoService(
  accept: (head: string) => string = acceptFor,
): Promise<RawService & { readonly heads: string[] }> {
  const heads: string[] = []
  const service = await rawService((socket) => {
    socket.once('data', (chunk) => {
      const head = String(chunk)
      heads.push(head)
      socket.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept(head)}\r\nSec-WebSocket-Protocol: vite-hmr\r\n\r\nfirst`,
      )
      socket.on('data', (more) => socket.write(more))
    })
  })
  return Object.assign(service, { heads })
}

describe('Proxy', () => {
  it.each([false, true])('passes bytes of both sides on untouched (TLS: %s)', async (secure) => {
    await using rig = await openProxy()
    await using service = await echoService()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = secure ? overSocket(await openTls(rig, ['http/1.1'])) : rawClient(rig.httpPort)
    client.write(`${upgrade}early`)
    await client.waitFor(/ 101 .*Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=.*firstearly$/su)
    client.write('\x80\xff\r\n\r\nGET / HTTP/1.1')
    await client.waitFor(/early\x80\xff\r\n\r\nGET \/ HTTP\/1\.1$/u)
    expect(service.heads[0]).toMatch(/Connection: Upgrade\r\nUpgrade: WebSocket\r\n/u)
  })

  it('a client that does not read stops its service, which goes on once it does', async () => {
    await using rig = await openProxy()
    const [most, piece] = [400_000_000, Buffer.alloc(65_536)]
    let written = 0
    await using service = await rawService((socket) => {
      const more = (): void => {
        for (let goesOn = true; goesOn && written < most; written += piece.length) goesOn = socket.write(piece)
      }
      socket.once('data', (chunk) => {
        const answer = `HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${acceptFor(String(chunk))}\r\n\r\n`
        socket.on('drain', more).write(answer, more)
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const client = connect({ port: rig.httpPort, host: '127.0.0.1' }).pause()
    client.write(upgrade)
    let [before, looks] = [-1, 0]
    // There is no event for what does not happen.
    await expect
      .poll(() => {
        looks = written === before && written > 0 ? looks + 1 : 0
        before = written
        return looks
      })
      .toBe(8)
    expect(written).toBeLessThan(most / 2)
    let received = 0
    client.on('data', (data) => (received += data.length)).resume()
    await expect.poll(() => received, { timeout: 10_000 }).toBeGreaterThan(before + 10_000_000)
    client.destroy()
  })

  it('sends nothing in another protocol before the service has agreed to it', async () => {
    await using rig = await openProxy()
    const heard: string[] = []
    await using service = await rawService((socket) => {
      socket.on('data', (chunk) => {
        heard.push(String(chunk))
        socket.write('HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno')
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write(`${upgrade}smuggled`)
    await client.waitFor(/ 400 Bad Request.*no/su)
    expect(heard.join('')).not.toContain('smuggled')
  })

  it('takes an agreement to another protocol for none', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: other\r\n\r\n'))
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write(upgrade)
    await client.waitFor(/^HTTP\/1\.1 502 /u)
  })

  it.each(['client', 'service'])('ends both sides when the %s does', async (who) => {
    await using rig = await openProxy()
    await using service = await echoService()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write(upgrade)
    await client.waitFor(/first$/u)
    const [socket] = service.connections
    if (socket === undefined) throw new Error('The service has no connection')
    const [ending, other]: readonly Socket[] = who === 'client' ? [client.socket, socket] : [socket, client.socket]
    const closed = once(other ?? socket, 'close')
    ending?.destroy()
    await closed
  })

  it('does not wait for a service that does not hear that the client has ended its WebSocket', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () => {
        socket.pause()
        socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nfirst')
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write(upgrade)
    await client.waitFor(/first$/u)
    client.socket.end('never read')
    await client.closed
  })

  it('bridges a WebSocket of HTTP/2', async () => {
    await using rig = await openProxy()
    await using service = await echoService()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    await once(client.session, 'remoteSettings')
    expect(client.session.remoteSettings.enableConnectProtocol).toBe(true)
    const stream = client.session.request(
      {
        ':method': 'CONNECT',
        ':protocol': 'websocket',
        ':path': '/ws',
        ':scheme': 'https',
        'sec-websocket-version': '13',
        'sec-websocket-protocol': 'vite-hmr',
      },
      { endStream: false },
    )
    const [headers] = await once(stream, 'response')
    expect(headers).toMatchObject({ ':status': 200, 'sec-websocket-protocol': 'vite-hmr' })
    expect(headers).not.toHaveProperty('sec-websocket-accept')
    const seen = { text: '' }
    stream.setEncoding('latin1').on('data', (chunk: string) => (seen.text += chunk))
    stream.write(Buffer.from('\x80\xff', 'latin1'))
    while (seen.text !== 'first\x80\xff') await once(stream, 'data')
    expect(service.heads[0]).toMatch(/^GET \/ws HTTP\/1\.1\r\n/u)
    const closed = once(service.connections[0] ?? stream, 'close')
    stream.close()
    await closed
  })

  it('refuses a WebSocket of HTTP/2 whose service does not prove that it is one', async () => {
    await using rig = await openProxy()
    await using service = await echoService(() => 'wrong')
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = await openHttp2(rig)
    await once(client.session, 'remoteSettings')
    const headers = { ':method': 'CONNECT', ':protocol': 'websocket', ':path': '/ws', ':scheme': 'https' }
    const stream = client.session.request(headers, { endStream: false })
    expect((await http2Answer(stream)).status).toBe(502)
  })
})
