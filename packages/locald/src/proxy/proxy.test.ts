import { once } from 'node:events'
import { connect as connectTls } from 'node:tls'
import { describe, expect, it } from 'vitest'
import { fetchBy, openHttp2 } from './testing/clients.ts'
import { openProxy, rawClient, sendRaw, tableOf, target } from './testing/proxy-rig.ts'
import { httpService, rawService } from './testing/test-service.ts'

describe('Proxy', () => {
  it('tells the service about the connection, and passes on nothing that the client says of it', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => response.end(JSON.stringify(request.headers)))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const headers = { 'x-forwarded-for': '1.2.3.4', X_Forwarded_Proto: 'ftp', forwarded: 'x', 'x-locald-id': '1' }
    const plain = await fetchBy(rig, '/a?b', { headers })
    const received: Record<string, string> = JSON.parse(plain.body)
    expect(received).toMatchObject({
      host: 'shop.localhost',
      'x-forwarded-for': '127.0.0.1',
      'x-forwarded-proto': 'http',
      'x-forwarded-host': 'shop.localhost',
      'x-forwarded-port': String(rig.httpPort),
      forwarded: 'for=127.0.0.1;host="shop.localhost";proto=http',
    })
    expect(Object.keys(received).filter((name) => /_|x-locald-id/u.test(name))).toEqual([])
    const secure = await fetchBy(rig, '/', { secure: true })
    expect(JSON.parse(secure.body)).toMatchObject({ 'x-forwarded-proto': 'https' })
    using client = await openHttp2(rig)
    expect(JSON.parse((await client.fetch({ ':path': '/' })).body)).toMatchObject({ 'x-forwarded-proto': 'https' })
  })

  it('passes the bytes of a target on as they are', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => response.end(request.url))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const path = '/a/../b/%2e%2e/%00;x=1//c?q=%zz&[]{}|\\^`"<>'
    expect(
      await sendRaw(rig.httpPort, `GET ${path} HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n`),
    ).toContain(`\r\n\r\n${path}`)
  })

  it('reaches a service that listens on IPv6 alone', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('six'), '::1')
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await fetchBy(rig, '/')).body).toBe('six')
    expect((await fetchBy(rig, '/')).body).toBe('six')
  })

  it('uses connections to a service again', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => response.end(String(request.socket.remotePort)))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const ports = [await fetchBy(rig, '/'), await fetchBy(rig, '/'), await fetchBy(rig, '/')].map(({ body }) => body)
    expect(new Set(ports).size).toBe(1)
  })

  it('chooses the service by the longest prefix, and takes it away when told to', async () => {
    await using rig = await openProxy()
    await using web = await httpService((request, response) => response.end(`web ${request.url}`))
    await using api = await httpService((request, response) =>
      response.end(`api ${request.url} ${String(request.headers['x-forwarded-prefix'])}`),
    )
    const services = [target([web.port]), target([api.port], { key: 'p1/api', label: 'api' })]
    const rules = [
      { prefix: '/api', service: 'p1/api', stripPrefix: true },
      { prefix: '/', service: 'p1/web', stripPrefix: false },
    ]
    rig.proxy.receive({ type: 'routes', table: tableOf(services, rules) })
    const bodies = ['/api', '/api/x?y', '/api?z', '/apis', '/'].map(async (path) => (await fetchBy(rig, path)).body)
    expect(await Promise.all(bodies)).toEqual(['api / /api', 'api /x?y /api', 'api /?z /api', 'web /apis', 'web /'])
  })

  it('refuses names that it does not know, and tells none that it does', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([])]) })
    const answer = await fetchBy(rig, '/', { headers: { host: 'evil.example', accept: 'text/html' } })
    expect(answer.response.statusCode).toBe(421)
    expect(answer.body).not.toContain('shop')
  })

  it('shakes hands for no name that it does not know', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([])]) })
    for (const servername of ['other.localhost', undefined]) {
      const socket = connectTls({
        port: rig.httpsPort,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ...(servername === undefined ? {} : { servername }),
      })
      await expect(once(socket, 'secureConnect')).rejects.toThrow()
    }
  })

  it('redirects plain HTTP once it is told to, but not a WebSocket', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', () =>
        socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nopen'),
      )
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])], undefined, 8443) })
    const { response } = await fetchBy(rig, '/a?b', { headers: { host: 'shop.localhost:8080' } })
    expect(response.statusCode).toBe(308)
    expect(response.headers.location).toBe('https://shop.localhost:8443/a?b')
    using client = rawClient(rig.httpPort)
    client.write('GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await client.waitFor(/open$/u)
  })

  it('ends a circle of requests, and names the service and the way out', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => {
      // As a proxy that sends everything on to the name that it came by.
      fetchBy(rig, '/', { headers: { ...(request.headers as Record<string, string>) } }).then(
        ({ response: { statusCode = 0 }, body }) => response.writeHead(statusCode).end(body),
        () => response.destroy(),
      )
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const { response, body } = await fetchBy(rig, '/')
    expect(response.statusCode).toBe(508)
    expect(body).toMatch(/web.*changeOrigin/su)
    expect(service.requests.length).toBeLessThan(10)
  })

  it('divides requests among the instances of a service', async () => {
    await using rig = await openProxy()
    await using one = await httpService((_request, response) => response.end('1'))
    await using two = await httpService((_request, response) => response.end('2'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([one.port, two.port])]) })
    for (let count = 0; count < 6; count += 1) await fetchBy(rig, '/')
    expect([one.requests.length, two.requests.length]).toEqual([3, 3])
  })

  it('tells how many requests are under way, and when the last one was', async () => {
    await using rig = await openProxy()
    await using service = await httpService(() => undefined)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using client = rawClient(rig.httpPort)
    client.write('GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n')
    const { services } = await rig.waitFor('activity')
    expect(services['p1/web']).toMatchObject({ open: 1 })
    expect(services['p1/web']?.lastAt).toBeGreaterThan(Date.now() - 60_000)
  })

  it('tells of the first request before the service gets it, so that nobody ends the service meanwhile', async () => {
    await using rig = await openProxy()
    let told: number | undefined
    await using service = await httpService((_request, response) => {
      told = rig.told.find((message) => message.type === 'activity')?.services['p1/web']?.open
      response.end()
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    await fetchBy(rig, '/')
    expect(told).toBe(1)
  })
})
