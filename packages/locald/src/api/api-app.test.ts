// The API by requests, over a daemon that answers nothing but what a test asks about.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import type { IncomingMessage, Server } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createAdaptorServer } from '@hono/node-server'
import { LocaldError } from '@locald/protocol'
import type { ErrorBody, OrderRequest } from '@locald/protocol'
import type { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import type { Logger } from '../lib/logger.ts'
import { createApi } from './api-app.ts'
import type { DaemonControl, LogsRequest } from './daemon-control.ts'

const silent: Logger = { log: () => {} }

function apiOf(control: Partial<DaemonControl> = {}): Hono {
  const stub = { version: '1.2.3', ...control } as DaemonControl
  return createApi(stub, silent)
}

async function* textsOf(...batches: readonly string[]): AsyncGenerator<string> {
  yield* batches
}

async function errorOf(answer: Response): Promise<ErrorBody['error']> {
  expect(answer.headers.get('content-type')).toContain('application/json')
  expect(answer.headers.get('locald-version')).toBe('1.2.3')
  return ((await answer.json()) as ErrorBody).error
}

const order = { kind: 'up', order: 'an-order', services: [], dir: '/shop' }

async function postOrder(api: Hono, body: unknown): Promise<Response> {
  return api.request('/v1/orders', { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) })
}

describe('what cannot be answered', () => {
  test.each(['/', '/v1', '/v1/nope', '/v2/status'])('%s is no route', async (path) => {
    const answer = await apiOf().request(path)
    expect([answer.status, await errorOf(answer)]).toMatchObject([404, { code: 'request_invalid' }])
  })

  test.each([
    ['POST', '/v1/status', 'GET'],
    ['GET', '/v1/orders', 'POST'],
    ['PUT', '/v1/orders', 'POST'],
    ['DELETE', '/v1/server', 'GET'],
  ])('%s %s is answered with the method that it takes', async (method, path, right) => {
    const answer = await apiOf().request(path, { method })
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, right])
    expect(await errorOf(answer)).toMatchObject({ code: 'request_invalid' })
  })

  test.each([
    'not json',
    '',
    'null',
    '[]',
    '{}',
    { ...order, kind: 'explode' },
    { ...order, order: 'short' },
    { ...order, dir: 'shop' },
    { ...order, dir: '/shop\0/../etc' },
    { ...order, services: 'web' },
    { ...order, services: [''] },
    { ...order, shell_env: { A: 3 } },
    { ...order, env: { 'A=B': 'c' } },
    { ...order, env: { A: 'b\0c' } },
    { ...order, env: { '': 'b' } },
    { ...order, timeout_ms: 0 },
  ])('the order %j is refused', async (body) => {
    const answer = await postOrder(apiOf(), body)
    expect([answer.status, await errorOf(answer)]).toMatchObject([400, { code: 'request_invalid' }])
  })

  test.each([
    '/v1/status?dir=shop',
    '/v1/status?dir=/shop%00',
    '/v1/status?file=Procfile',
    '/v1/env',
    '/v1/why?service=',
    '/v1/logs?tail=-1',
    '/v1/logs?tail=1.5',
    '/v1/logs?tail=many',
    '/v1/logs?run=1.5',
    '/v1/logs?since=',
    '/v1/events?after=x',
  ])('%s is refused', async (path) => {
    const logs = async (): Promise<AsyncIterable<string>> => textsOf()
    const answer = await apiOf({ logs, projectId: async () => null }).request(path)
    expect([answer.status, await errorOf(answer)]).toMatchObject([400, { code: 'request_invalid' }])
  })

  test('what is found wrong with a request for logs while reading begins is an answer, not a torn stream', async () => {
    const refused: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => Promise.reject(new LocaldError('request_invalid', 'This is not a cursor')),
      }),
    }
    const answer = await apiOf({ logs: async () => refused }).request('/v1/logs?cursor=x')
    expect([answer.status, await errorOf(answer)]).toMatchObject([400, { message: 'This is not a cursor' }])
  })

  test('a fault of ours is logged and answered as one; a disk that is full is not one', async () => {
    const failing = (error: Error): Hono => apiOf({ status: () => Promise.reject(error) })
    const fault = await failing(new Error('cheese')).request('/v1/status')
    expect([fault.status, await errorOf(fault)]).toMatchObject([500, { code: 'internal' }])
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const disk = await failing(full).request('/v1/status')
    expect([disk.status, await errorOf(disk)]).toMatchObject([500, { code: 'directory_refused' }])
  })
})

test('an order reaches the daemon with what it says and nothing else', async () => {
  const seen: OrderRequest[] = []
  const api = apiOf({
    order: async (request) => {
      seen.push(request)
      return { order: request.order, seq: 1, status: { id: 'p' } } as never
    },
  })
  const answer = await postOrder(api, { ...order, env: { A: '' }, newer: true })
  expect(answer.status).toBe(200)
  expect(seen).toEqual([{ ...order, env: { A: '' } }])
})

test('numbers, names and texts of a request for logs reach the daemon', async () => {
  const seen: LogsRequest[] = []
  const logs = async (request: LogsRequest): Promise<AsyncIterable<string>> => {
    seen.push(request)
    return textsOf()
  }
  await apiOf({ logs }).request('/v1/logs?dir=/a&service=web&service=db&tail=0&run=-1&since=5&grep=x&follow=1')
  expect(seen).toEqual([{ dir: '/a', services: ['web', 'db'], tail: 0, run: -1, since: 5, grep: 'x', follow: true }])
})

test('events without following are those that were missed, and then the end, also when the last numbers have none', async () => {
  const event = { type: 'daemon.started', seq: 4, at: '2026-01-01T00:00:00.000Z', pid: 1, version: '1' } as const
  let isListening = false
  const api = apiOf({
    projectId: async () => null,
    subscribe: () => {
      isListening = true
      return { missed: [event], stop: () => (isListening = false) }
    },
  })
  const answer = await api.request('/v1/events?after=3&follow=0')
  expect((await answer.text()).trim().split('\n').slice(-2)).toEqual(['id: 4', `data: ${JSON.stringify(event)}`])
  expect(isListening).toBe(false)
})

describe('over a socket', () => {
  interface Served extends AsyncDisposable {
    send(path: string, chunks: readonly (string | Buffer)[], headers?: Record<string, string>): Promise<IncomingMessage>
  }

  async function serve(api: Hono): Promise<Served> {
    const home = mkdtempSync(join(tmpdir(), 'aa-'))
    const socketPath = join(home, 's')
    const server = createAdaptorServer({ fetch: api.fetch }) as Server
    server.listen(socketPath)
    await once(server, 'listening')
    return {
      send: (path, chunks, headers = {}) =>
        new Promise((resolve, reject) => {
          const request = httpRequest({ socketPath, path, method: 'POST', agent: false, headers }, resolve)
          request.once('error', reject)
          for (const chunk of chunks) request.write(chunk)
          request.end()
        }),
      [Symbol.asyncDispose]: async () => {
        const closed = once(server, 'close')
        server.close()
        server.closeAllConnections()
        await closed
        rmSync(home, { recursive: true })
      },
    }
  }

  test.each([
    ['whose head says so', { 'content-length': String(6 * 1024 * 1024) }],
    ['in chunks', { 'transfer-encoding': 'chunked' }],
  ])('a body that is too large, %s, is refused', async (_, headers) => {
    await using served = await serve(apiOf())
    const megabyte = Buffer.alloc(1024 * 1024, 'x')
    const answer = await served.send(
      '/v1/orders',
      Array.from({ length: 6 }, () => megabyte),
      headers,
    )
    answer.setEncoding('utf8')
    const text = (await answer.toArray()).join('')
    expect(answer.statusCode).toBe(413)
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'request_invalid' } })
  })
})
