// Requests to services that are not there yet, not there any more, or about to be replaced.
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import type { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { described } from './pages/testing/descriptions.ts'
import { fetchBy, openHttp2, openRequest } from './testing/clients.ts'
import { openProxy, rawClient, tableOf, target } from './testing/proxy-rig.ts'
import type { RawClient } from './testing/proxy-rig.ts'
import { fullService, httpService, rawService } from './testing/test-service.ts'

const navigation = {
  accept: 'text/html',
  'sec-fetch-mode': 'navigate',
  'sec-fetch-dest': 'document',
  'sec-fetch-site': 'none',
}

describe('Proxy', () => {
  it('holds requests to a service that starts, and lets them go the moment it is up', async () => {
    await using rig = await openProxy()
    await using service = await httpService((request, response) => request.pipe(response))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    using client = await openHttp2(rig)
    const answers = [
      fetchBy(rig, '/', { method: 'POST', body: 'one' }),
      client.fetch({ ':path': '/', ':method': 'POST' }, 'two'),
    ]
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await Promise.all(answers)).map(({ body }) => body)).toEqual(['one', 'two'])
  })

  it('gives up after the time that a request may be held', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting', holdMs: 50 })]) })
    expect((await fetchBy(rig, '/')).response.statusCode).toBe(504)
  })

  it('does not send a request whose client has gone meanwhile', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'idle' })]) })
    using client = rawClient(rig.httpPort)
    client.write('GET /gone HTTP/1.1\r\nHost: shop.localhost\r\n\r\n')
    await rig.waitFor('wanted')
    client.socket.end()
    await client.closed
    const other = fetchBy(rig, '/other')
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await other).body).toBe('here')
    expect(service.requests.map(({ url }) => url)).toEqual(['/other'])
  })

  it('asks once for an idle service, and not for a page of another site', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'idle', holdMs: 100 })]) })
    const cross = await fetchBy(rig, '/', { headers: { 'sec-fetch-site': 'cross-site' } })
    expect(cross.response.statusCode).toBe(503)
    expect(rig.told.filter(({ type }) => type === 'wanted')).toEqual([])
    await Promise.all([fetchBy(rig, '/'), fetchBy(rig, '/')])
    expect(rig.told.filter(({ type }) => type === 'wanted')).toEqual([{ type: 'wanted', service: 'p1/web' }])
  })

  it('shows somebody who looks a page, and a program JSON, when the service has failed', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'failed' })]) })
    const page = await fetchBy(rig, '/', { headers: navigation })
    expect([page.response.statusCode, page.response.headers['content-type']]).toEqual([502, 'text/html; charset=utf-8'])
    const json = await fetchBy(rig, '/', { headers: { accept: 'application/json' } })
    expect(JSON.parse(json.body)).toMatchObject({ status: 502 })
  })

  it('shows a page soon to somebody who looks, and sends nothing to the service for it', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    const { response, body } = await fetchBy(rig, '/deep?x=1', { headers: navigation })
    expect([response.statusCode, response.headers['retry-after']]).toEqual([503, '2'])
    expect(body).toContain('/.locald/events?path=')
  })

  it('tells a page when its service is up', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    using client = rawClient(rig.httpPort)
    client.write('GET /.locald/events?path=%2F HTTP/1.1\r\nHost: shop.localhost\r\n\r\n')
    await client.waitFor(/text\/event-stream.*event: page\n/su)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([1])]) })
    await client.waitFor(/event: ready\n/u)
  })

  it('asks for what pages show once for each service, and only while any is open', async () => {
    await using rig = await openProxy()
    const services = ['p1/web', 'p1/api'].map((key) => target([], { key, label: key.slice(3), state: 'starting' }))
    const rules = [
      { prefix: '/api', service: 'p1/api', stripPrefix: false },
      { prefix: '/', service: 'p1/web', stripPrefix: false },
    ]
    rig.proxy.receive({ type: 'routes', table: tableOf(services, rules) })
    const open = async (path: string): Promise<RawClient> => {
      const client = rawClient(rig.httpPort)
      client.write(`GET /.locald/events?path=${encodeURIComponent(path)} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n`)
      await client.waitFor(/event: page\n/u)
      return client
    }
    const watched = (): readonly (readonly string[])[] =>
      rig.told.flatMap((message) => (message.type === 'watched' ? [message.services] : []))
    const pages = [await open('/'), await open('/x'), await open('/')]
    expect(watched()).toEqual([['p1/web']])
    using api = await open('/api')
    expect(watched()).toEqual([['p1/web'], ['p1/web', 'p1/api']])

    const compiling = described({ state: 'starting', lines: [{ at: '2026-01-31T09:05:00.000Z', text: 'It compiles' }] })
    rig.proxy.receive({ type: 'show', service: 'p1/web', description: compiling })
    for (const page of pages) await page.waitFor(/event: page\ndata: .*It compiles/u)
    expect(api.received()).not.toContain('It compiles')
    pages.push(await open('/late'))
    expect(pages.at(-1)?.received()).toContain('It compiles')

    rig.proxy.receive({ type: 'routes', table: tableOf([target([1])], rules.slice(1)) })
    for (const page of pages) await page.waitFor(/event: ready\n/u)
    expect(api.received()).not.toContain('ready')
    for (const page of pages) page.socket.destroy()
    await expect.poll(() => watched().at(-1)).toEqual(['p1/api'])
    api.socket.destroy()
    await expect.poll(() => watched().at(-1)).toEqual([])
    expect(rig.told.filter(({ type }) => type === 'describe')).toEqual([])
  })

  it.each([false, true])('tells a page that did not read for a while how things are (HTTP/2: %s)', async (isHttp2) => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    const show = (text: string): void => {
      const lines = Array.from({ length: 40 }, () => ({ at: '2026-01-31T09:05:00.000Z', text }))
      const description = described({ state: 'starting', lines })
      rig.proxy.receive({ type: 'show', service: 'p1/web', description })
    }
    using client = isHttp2 ? await openHttp2(rig) : null
    const path = '/.locald/events?path=%2F'
    const stream: Readable =
      client === null
        ? ((await once(openRequest(rig, path).end(), 'response')) as [IncomingMessage])[0]
        : client.request({ ':path': path })
    await once(stream, 'data')
    stream.pause()
    for (let count = 0; count < 500; count += 1) {
      show(`${count} ${'x'.repeat(1000)}`)
      await new Promise((resolve) => setImmediate(resolve))
    }
    show('as it is now')
    for await (const chunk of stream) if (String(chunk).includes('as it is now')) break
  })

  it.each(['events?path=%2F', 'reload'])('opens no stream of %s for a page of another site', async (path) => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    const headers = { 'sec-fetch-site': 'cross-site' }
    expect((await fetchBy(rig, `/.locald/${path}`, { headers })).response.statusCode).toBe(403)
    expect(rig.told.filter(({ type }) => type === 'describe' || type === 'watched')).toEqual([])
  })

  it('tells a page of its own, which does not say where it is from, over plain HTTP too', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    using client = rawClient(rig.httpPort)
    const request = 'GET /.locald/events?path=%2F HTTP/1.1\r\nHost: shop.localhost\r\n'
    client.write(`${request}User-Agent: Mozilla/5.0\r\nAccept: text/event-stream\r\n\r\n`)
    await client.waitFor(/text\/event-stream.*event: page\n/su)
  })

  it('waits for a service that counts as up and does not listen yet', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    const { port } = service
    service.server.close()
    await once(service.server, 'close')
    rig.proxy.receive({ type: 'routes', table: tableOf([target([port])]) })
    const answer = fetchBy(rig, '/')
    setTimeout(() => service.server.listen(port, '127.0.0.1'), 150)
    expect((await answer).body).toBe('here')
  })

  it('drains an instance: holds what is new, and tells when the rest is done', async () => {
    await using rig = await openProxy()
    const finish: (() => void)[] = []
    await using service = await httpService((_request, response) => finish.push(() => response.end('done')))
    const table = tableOf([target([service.port])])
    rig.proxy.receive({ type: 'routes', table })
    const first = fetchBy(rig, '/first')
    await once(service.server, 'request')
    rig.proxy.receive({ type: 'drain', id: 1, service: 'p1/web', instance: 1, timeoutMs: 10_000 })
    const second = fetchBy(rig, '/second')
    expect(rig.told.filter(({ type }) => type === 'drained')).toEqual([])
    finish[0]?.()
    expect((await first).body).toBe('done')
    expect(await rig.waitFor('drained')).toEqual({ type: 'drained', id: 1, open: 0 })
    expect(service.requests).toHaveLength(1)
    const next = once(service.server, 'request')
    rig.proxy.receive({ type: 'routes', table })
    await next
    finish[1]?.()
    expect((await second).body).toBe('done')
  })

  it('asks for a service that became idle under requests that were held', async () => {
    await using rig = await openProxy()
    await using service = await httpService((_request, response) => response.end('here'))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    rig.proxy.receive({ type: 'drain', id: 1, service: 'p1/web', instance: 1, timeoutMs: 10_000 })
    using client = rawClient(rig.httpPort)
    const request = 'GET / HTTP/1.1\r\nHost: shop.localhost\r\n'
    client.write(`${request}\r\n`)
    using other = rawClient(rig.httpPort)
    other.write(`${request}Sec-Fetch-Site: cross-site\r\n\r\n`)
    // Answered after those: both are held by then.
    expect((await fetchBy(rig, '/.locald/none')).response.statusCode).toBe(404)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'idle' })]) })
    expect(await rig.waitFor('wanted')).toEqual({ type: 'wanted', service: 'p1/web' })
    await other.waitFor(/^HTTP\/1\.1 503 /u)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    await client.waitFor(/here$/u)
  })

  it('waits for no event stream and no WebSocket while it drains, and no longer than it may', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      socket.once('data', (chunk) => {
        if (String(chunk).includes('/events'))
          socket.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n')
        if (String(chunk).includes('/ws'))
          socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    using events = rawClient(rig.httpPort)
    events.write('GET /events HTTP/1.1\r\nHost: shop.localhost\r\n\r\n')
    await events.waitFor(/event-stream/u)
    using socket = rawClient(rig.httpPort)
    socket.write('GET /ws HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n')
    await socket.waitFor(/ 101 /u)
    rig.proxy.receive({ type: 'drain', id: 1, service: 'p1/web', instance: 1, timeoutMs: 10_000 })
    expect(await rig.waitFor('drained')).toEqual({ type: 'drained', id: 1, open: 0 })
  })

  it('tells how many requests are left when the time to drain is up', async () => {
    await using rig = await openProxy()
    await using service = await httpService(() => undefined)
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const request = openRequest(rig, '/').on('error', () => undefined)
    request.end()
    await once(service.server, 'request')
    rig.proxy.receive({ type: 'drain', id: 7, service: 'p1/web', instance: 1, timeoutMs: 50 })
    expect(await rig.waitFor('drained')).toEqual({ type: 'drained', id: 7, open: 1 })
    request.destroy()
  })

  it('sends a request again that a used connection had no room for', async () => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => {
      // Answers one request, and ends under the next one.
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
        socket.once('data', () => socket.destroy())
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    for (let count = 0; count < 5; count += 1) expect((await fetchBy(rig, '/')).body).toBe('here')
    expect(service.connections.length).toBeGreaterThan(1)
  })

  it.each([
    ['answers', 200],
    ['ends too', 502],
  ])('tries three used connections that end under a request, then a new one, which %s', async (_name, status) => {
    await using rig = await openProxy()
    const first: (() => void)[] = []
    let again = 0
    await using service = await rawService((socket) => {
      const answer = (): boolean => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
      let isUsed = false
      socket.on('data', (chunk) => {
        if (String(chunk).startsWith('GET /first')) {
          isUsed = true
          first.push(answer)
          return
        }
        again += 1
        if (!isUsed && status === 200) answer()
        else socket.destroy()
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const answers = Array.from({ length: 10 }, () => fetchBy(rig, '/first'))
    await expect.poll(() => first.length).toBe(10)
    for (const answer of first) answer()
    await Promise.all(answers)
    expect((await fetchBy(rig, '/again')).response.statusCode).toBe(status)
    expect(again).toBe(4)
  })

  it('sends a request again when the service ended under it, once', async () => {
    await using rig = await openProxy()
    const heads: string[] = []
    await using service = await rawService((socket) => {
      socket.once('data', (chunk) => {
        heads.push(String(chunk).slice(0, 6))
        if (heads.length === 1) socket.destroy()
        else socket.end('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    expect((await fetchBy(rig, '/')).body).toBe('here')
    expect(heads).toEqual(['GET / ', 'GET / '])
  })

  it.each([
    ['what may have an effect', 'POST', ''],
    ['what has a body', 'PUT', 'body'],
  ])('sends %s once, and on a connection of its own', async (_name, method, body) => {
    await using rig = await openProxy()
    let count = 0
    await using service = await rawService((socket) => {
      socket.on('data', (chunk) => {
        if (String(chunk).startsWith('GET')) return socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere')
        count += 1
        return socket.destroy()
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    await fetchBy(rig, '/')
    expect((await fetchBy(rig, '/', { method, body })).response.statusCode).toBe(502)
    expect([count, service.connections.length]).toEqual([1, 2])
  })

  it('refuses what more than a thousand requests would wait for', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting' })]) })
    using client = await openHttp2(rig)
    const clients = [client, ...(await Promise.all([1, 2, 3, 4].map(() => openHttp2(rig))))]
    const answers = clients.flatMap((one) => Array.from({ length: 240 }, () => one.fetch({ ':path': '/' })))
    const settled = Promise.allSettled(answers)
    expect(await Promise.race(answers)).toMatchObject({ status: 503 })
    rig.proxy.close()
    for (const one of clients) one[Symbol.dispose]()
    await settled
  })
  it.each([
    ['ends the connection', ''],
    ['answers what is not HTTP', 'What?\r\n\r\n'],
    ['never comes to the point', 'HTTP/1.1 103 Early\r\n\r\n'.repeat(200)],
  ])('shows a page that does not load itself again when the service %s', async (_name, bytes) => {
    await using rig = await openProxy()
    await using service = await rawService((socket) => socket.once('data', () => socket.end(bytes)))
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port])]) })
    const { response, body } = await fetchBy(rig, '/callback?code=once', { headers: navigation })
    expect([response.statusCode, response.headers['content-type']]).toEqual([502, 'text/html; charset=utf-8'])
    expect(body).toContain('this page does not repeat it')
    expect(body).not.toMatch(/http-equiv="refresh"|<script/u)
  })

  it('shows no page in place of a request that was sent before, but waits to send it again', async () => {
    await using rig = await openProxy()
    const sent: string[] = []
    await using service = await rawService((socket) => {
      socket.once('data', (chunk) => {
        sent.push(String(chunk))
        rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'starting', holdMs: 900 })]) })
        socket.destroy()
      })
    })
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port], { holdMs: 900 })]) })
    const { response, body } = await fetchBy(rig, '/callback?code=once', { headers: navigation })
    expect([response.statusCode, sent.length]).toEqual([504, 1])
    expect(body).not.toMatch(/http-equiv="refresh"|<script/u)
  })

  it('shows a page that does not load itself again for a form that was sent', async () => {
    await using rig = await openProxy()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([], { state: 'failed' })]) })
    const { body } = await fetchBy(rig, '/', { headers: navigation, method: 'POST', body: 'order=1' })
    expect(body).toContain('a POST is never repeated by itself')
    expect(body).not.toMatch(/http-equiv="refresh"|<script/u)
  })
  it('waits no longer for a connection than for a service, and shows a page meanwhile', async () => {
    await using rig = await openProxy()
    await using service = await fullService()
    rig.proxy.receive({ type: 'routes', table: tableOf([target([service.port], { holdMs: 1500 })]) })
    const began = performance.now()
    const answers = await Promise.all([
      fetchBy(rig, '/', { headers: navigation }),
      fetchBy(rig, '/'),
      fetchBy(rig, '/', { method: 'POST', body: 'some' }),
    ])
    expect(performance.now() - began).toBeLessThan(10_000)
    expect(answers.map(({ response }) => response.statusCode)).toEqual([502, 504, 504])
    expect(answers[0].body).toMatch(/accepts no connection.*<script/su)
    // Nothing of it is left under way.
    rig.proxy.receive({ type: 'drain', id: 1, service: 'p1/web', instance: 1, timeoutMs: 10_000 })
    expect(await rig.waitFor('drained')).toMatchObject({ open: 0 })
  })
})
