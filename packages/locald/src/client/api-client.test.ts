import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { LocaldError } from '@locald/protocol'
import type { LogLine } from '@locald/protocol'
import { expect, test } from 'vitest'
import { listenUnixSocket } from '../lib/unix-socket.ts'
import { createApiClient } from './api-client.ts'
import { NobodyListens } from './request-errors.ts'
import { eventText, startFakeDaemon } from './testing/fake-daemon.ts'

const quick = { delaysMs: [0, 1, 1] }

function line(text: string, cursor?: string): string {
  const at = '2026-01-01T00:00:00.000Z'
  return `${JSON.stringify({ at, service: 'web', stream: 'pty', run: 1, text, ...(cursor === undefined ? {} : { cursor }) })}\n`
}

async function texts(lines: AsyncIterable<LogLine>): Promise<string[]> {
  const result: string[] = []
  for await (const { text } of lines) result.push(text)
  return result
}

async function rejection(promise: Promise<unknown>): Promise<LocaldError> {
  const error: unknown = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof LocaldError)) throw new Error('Not rejected with a LocaldError', { cause: error })
  return error
}

test('every route gets its method, path and query', async () => {
  await using daemon = await startFakeDaemon(({ json }) => json({ variables: [], ports: [] }))
  const client = createApiClient({ socket: daemon.socket })
  const here = { dir: '/my shop', file: '/my shop/Procfile' }
  await client.server()
  await client.status({ dir: '/a' }, true)
  await client.order({ kind: 'up', order: 'an-order', services: ['web'], dir: '/a' })
  await client.env(here, 'web')
  await client.ports({})
  await client.why({ dir: '/a' }, 'web')
  await client.stopServer()
  await client.restartServer()
  expect(daemon.requests).toEqual([
    'GET /v1/server',
    'GET /v1/status?dir=%2Fa&all=1',
    'POST /v1/orders',
    'GET /v1/env?dir=%2Fmy%20shop&file=%2Fmy%20shop%2FProcfile&service=web',
    'GET /v1/ports',
    'GET /v1/why?dir=%2Fa&service=web',
    'POST /v1/server/stop',
    'POST /v1/server/restart',
  ])
  expect(daemon.bodies[0]).toEqual({ kind: 'up', order: 'an-order', services: ['web'], dir: '/a' })
})

test('a refusal becomes a LocaldError with its code, hint and diagnostics', async () => {
  const diagnostics = [{ severity: 'error', code: 'cycle', message: 'A cycle', file: '/a', line: 1, column: 2 }]
  await using daemon = await startFakeDaemon(({ json }) =>
    json({ error: { code: 'config_invalid', message: 'No', hint: 'Do', diagnostics } }, 422),
  )
  const error = await rejection(createApiClient({ socket: daemon.socket }).server())
  expect(error).toMatchObject({ code: 'config_invalid', message: 'No', hint: 'Do', diagnostics })
})

test('an answer that is not ours, or a route that does not exist, is a version mismatch', async () => {
  await using stranger = await startFakeDaemon(({ response }) => {
    response.writeHead(404)
    response.end('Not found')
  })
  expect(await rejection(createApiClient({ socket: stranger.socket }).server())).toMatchObject({
    code: 'version_mismatch',
    message: 'The daemon (version 1.2.3) does not speak version 1 of the API',
  })
  await using newer = await startFakeDaemon(({ json }) =>
    json({ error: { code: 'request_invalid', message: 'Cannot serve "/v1/server": no such route' } }, 404),
  )
  expect(await rejection(createApiClient({ socket: newer.socket }).server())).toMatchObject({
    code: 'version_mismatch',
  })
})

test('nobody listening is daemon_unreachable, with the cause to tell it by', async () => {
  const error = await rejection(createApiClient({ socket: '/nonexistent/api.sock' }).server())
  expect(error.code).toBe('daemon_unreachable')
  expect(error.cause).toBeInstanceOf(NobodyListens)
})

test('no answer in time is daemon_unreachable', async () => {
  await using daemon = await startFakeDaemon(() => {})
  const error = await rejection(createApiClient({ socket: daemon.socket, timeoutMs: 20 }).server())
  expect(error).toMatchObject({ code: 'daemon_unreachable', message: 'The daemon does not answer' })
})

test('the version of the daemon is told once', async () => {
  const versions: string[] = []
  await using daemon = await startFakeDaemon(({ json }) => json({}), '0.0.9')
  const client = createApiClient({ socket: daemon.socket, onVersion: (version) => versions.push(version) })
  await client.server()
  await client.server()
  expect(versions).toEqual(['0.0.9'])
})

test('a request whose connection breaks before the answer is sent again, the same order as the same', async () => {
  let calls = 0
  await using daemon = await startFakeDaemon(({ json, breakOff }) => {
    calls += 1
    if (calls < 3) breakOff()
    else json({ order: 'an-order', seq: 1 })
  })
  const client = createApiClient({ socket: daemon.socket })
  expect(await client.order({ kind: 'stop', order: 'an-order', services: [] })).toMatchObject({ seq: 1 })
  expect(daemon.bodies).toHaveLength(3)
  expect(new Set(daemon.bodies.map((body) => JSON.stringify(body))).size).toBe(1)
})

test('an order that comes while the daemon is being replaced is given again to the next one', async () => {
  await using daemon = await startFakeDaemon(({ json }) => {
    if (daemon.requests.length < 3) json({ error: { code: 'daemon_stopping', message: 'Stopping' } }, 503)
    else json({ order: 'an-order', seq: 1 })
  })
  const client = createApiClient({ socket: daemon.socket })
  expect(await client.order({ kind: 'up', order: 'an-order', services: [] })).toMatchObject({ seq: 1 })
})

test('a daemon that has stopped before it was asked is started again, where that may be', async () => {
  await using daemon = await startFakeDaemon(({ json }) => json({ proxy: null }))
  const gone = join(daemon.home, 'run/gone.sock')
  const error = await rejection(createApiClient({ socket: gone }).server())
  expect(error.cause).toBeInstanceOf(NobodyListens)
  const client = createApiClient({ socket: gone, revive: async () => await symlink(daemon.socket, gone) })
  expect(await client.server()).toEqual({ proxy: null })
})

test('input that is sent again says so: who types must not do it twice', async () => {
  await using daemon = await startFakeDaemon(({ json, breakOff }) => {
    if (daemon.bodies.length < 2) breakOff()
    else json({ taken: true })
  })
  const input = { service: 'sh', client: 'a-client', seq: 1, run: 1, data: 'eQ==', size: null }
  await createApiClient({ socket: daemon.socket }).type(input)
  expect(daemon.bodies).toEqual([input, { ...input, again: true }])
})

test('events go on after the last one, over a daemon that is killed and one that ends the stream', async () => {
  let connection = 0
  await using daemon = await startFakeDaemon(({ response, breakOff }) => {
    connection += 1
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    if (connection === 1) response.write(eventText({ seq: 5 }) + eventText({ seq: 6 }), breakOff)
    else if (connection === 2) response.end(eventText({ seq: 7 }))
    else response.write(eventText({ seq: 9 }))
  })
  const client = createApiClient({ socket: daemon.socket, ...quick })
  const abort = new AbortController()
  const seqs: number[] = []
  for await (const event of client.events({ dir: '/a' }, { signal: abort.signal })) {
    seqs.push(event.seq)
    if (event.seq === 9) abort.abort()
  }
  expect(seqs).toEqual([5, 6, 7, 9])
  expect(daemon.requests).toEqual([
    'GET /v1/events?dir=%2Fa',
    'GET /v1/events?dir=%2Fa&after=6',
    'GET /v1/events?dir=%2Fa&after=7',
  ])
})

test('events give up when nobody comes back', async () => {
  let first = true
  await using daemon = await startFakeDaemon(({ response, breakOff }) => {
    if (first) response.write(eventText({ seq: 1 }), breakOff)
    else breakOff()
    first = false
  })
  const seqs: number[] = []
  const read = async (): Promise<void> => {
    for await (const { seq } of createApiClient({ socket: daemon.socket, ...quick }).events({}, {})) seqs.push(seq)
  }
  expect(await rejection(read())).toMatchObject({ code: 'daemon_unreachable' })
  expect(seqs).toEqual([1])
})

test('events that are asked for once end with their connection', async () => {
  await using daemon = await startFakeDaemon(({ response, breakOff }) => {
    response.write(eventText({ seq: 1 }), breakOff)
  })
  const seqs: number[] = []
  for await (const { seq } of createApiClient({ socket: daemon.socket }).events({}, { isOnce: true })) seqs.push(seq)
  expect(seqs).toEqual([1])
  expect(daemon.requests).toHaveLength(1)
})

test('logs go on by cursor after a break, with no line twice and none lost', async () => {
  let connection = 0
  await using daemon = await startFakeDaemon(({ response, breakOff }) => {
    connection += 1
    // The third line came after the last cursor: the next connection brings it again.
    if (connection === 1) response.write(line('1') + line('2', 'c2') + line('3'), breakOff)
    else response.end(line('3') + line('3') + line('4', 'c4'))
  })
  const client = createApiClient({ socket: daemon.socket, ...quick })
  expect(await texts(client.logs({ dir: '/a' }, { services: ['web', 'api'], tail: 10, grep: 'x|y' }))).toEqual([
    '1',
    '2',
    '3',
    '3',
    '4',
  ])
  expect(daemon.requests).toEqual([
    'GET /v1/logs?dir=%2Fa&service=web&service=api&tail=10&grep=x%7Cy',
    'GET /v1/logs?dir=%2Fa&service=web&service=api&grep=x%7Cy&cursor=c2',
  ])
})

test('what the daemon objects to in the middle of logs comes after their lines, and is not asked for again', async () => {
  const error = { code: 'usage', message: 'Cannot search', hint: 'Search for less' }
  await using daemon = await startFakeDaemon(({ response }) => {
    response.end(`${line('1', 'c1')}${JSON.stringify({ error })}\n`)
  })
  const seen: string[] = []
  const reading = (async () => {
    const client = createApiClient({ socket: daemon.socket, ...quick })
    for await (const { text } of client.logs({}, { follow: true })) seen.push(text)
  })()
  expect(await rejection(reading)).toMatchObject(error)
  expect(seen).toEqual(['1'])
  expect(daemon.requests).toHaveLength(1)
})

test('logs that are finished bring what is recorded by then', async () => {
  await using daemon = await startFakeDaemon(({ query, response }) => {
    if (query.get('follow') === '1') response.write(line('1', 'c1') + line('2'))
    else response.end(line('2') + line('3', 'c3'))
  })
  const client = createApiClient({ socket: daemon.socket, ...quick })
  const finish = new AbortController()
  const seen: string[] = []
  for await (const { text } of client.logs({}, { follow: true, finish: finish.signal })) {
    seen.push(text)
    if (text === '2') finish.abort()
  }
  expect(seen).toEqual(['1', '2', '3'])
  expect(daemon.requests).toEqual(['GET /v1/logs?follow=1', 'GET /v1/logs?cursor=c1'])
})

test('logs that are aborted end at once', async () => {
  await using daemon = await startFakeDaemon(({ response }) => {
    response.write(line('1', 'c1'))
  })
  const abort = new AbortController()
  const seen: string[] = []
  for await (const { text } of createApiClient({ socket: daemon.socket }).logs(
    {},
    { follow: true, signal: abort.signal },
  )) {
    seen.push(text)
    abort.abort()
  }
  expect(seen).toEqual(['1'])
})

test('a daemon that is too busy to accept anybody is waited for', async () => {
  const home = mkdtempSync(join(tmpdir(), 'ac-'))
  const socket = join(home, 'api.sock')
  const fd = listenUnixSocket(socket)
  const waiting: Socket[] = []
  for (let isFull = false; !isFull;) {
    const one = connect(socket)
    waiting.push(one)
    isFull = await new Promise((resolve) => {
      one.once('connect', () => resolve(false))
      one.once('error', () => resolve(true))
    })
  }
  const answer = createApiClient({ socket }).server()
  const server = createServer((_, response) => response.end('{"daemon":null}'))
  setTimeout(() => server.listen({ fd }), 60)
  expect(await answer).toEqual({ daemon: null })
  for (const one of waiting) one.destroy()
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
  rmSync(home, { recursive: true })
})
