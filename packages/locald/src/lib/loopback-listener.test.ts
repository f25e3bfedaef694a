import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import type { Server } from 'node:net'
import { expect, test } from 'vitest'
import { closeListener, listenLoopback } from './loopback-listener.ts'
import { hasCloseOnExec } from './native.ts'

const listening = async (host: string, port = 0): Promise<{ readonly server: Server; readonly port: number }> => {
  const server = createServer().listen(port, host)
  await once(server, 'listening')
  const address = server.address()
  return { server, port: typeof address === 'object' && address !== null ? address.port : 0 }
}

test('listenLoopback() has one port on both families, which nothing inherits', () => {
  const listener = listenLoopback(0)
  expect(listener.port).toBeGreaterThan(1023)
  expect(listener.sockets.map(({ family }) => family)).toEqual([4, 6])
  expect(listener.sockets.every(({ fd }) => hasCloseOnExec(fd))).toBe(true)
  closeListener(listener)
})

test('whoever connects before anybody accepts waits, and is served', async () => {
  const listener = listenLoopback(0)
  const early = ['127.0.0.1', '::1'].map((host) => connect(listener.port, host).setEncoding('utf8'))
  await Promise.all(early.map((socket) => once(socket, 'connect')))
  const servers = listener.sockets.map(({ fd }) => createServer((socket) => socket.end('hello')).listen({ fd }))
  expect(await Promise.all(early.map(async (socket) => (await once(socket, 'data'))[0] as string))).toEqual([
    'hello',
    'hello',
  ])
  for (const server of servers) server.close()
})

test('a port that somebody has, on one family or on all addresses, is refused as a whole', async () => {
  for (const host of ['127.0.0.1', '::1', '0.0.0.0', '::']) {
    const { server, port } = await listening(host)
    expect(() => listenLoopback(port), host).toThrow(expect.objectContaining({ code: 'EADDRINUSE' }))
    server.close()
    await once(server, 'close')
    closeListener(listenLoopback(port))
  }
})
