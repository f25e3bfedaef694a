import { connect, createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { listListeners } from '../lib/listening-sockets.ts'
import { HostGateway } from './host-gateway.ts'

// Every address of 127.0.0.0/8 is this machine's: 127.0.0.2 plays the bridge, 127.0.0.3 and 127.0.0.4 two containers.
const bridge = '127.0.0.2'
const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function serve(text: string, host: string): Promise<number> {
  const server: Server = createServer((socket) => socket.end(text))
  closing.push(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, host, resolve))
  return (server.address() as AddressInfo).port
}

function gatewayTo(reachable: (run: string) => readonly number[]): HostGateway {
  const logger = { log: () => undefined }
  const gateway = new HostGateway({ reachable, listListeners, logger })
  closing.push(() => gateway[Symbol.dispose]())
  return gateway
}

/** What comes from there; null: refused, or hung up. */
async function ask(port: number, localAddress: string): Promise<string | null> {
  return await new Promise((resolve) => {
    const socket = connect({ host: bridge, port, localAddress })
    let text = ''
    socket.on('data', (part) => (text += part.toString()))
    socket.on('error', () => resolve(null))
    socket.on('close', () => resolve(text === '' ? null : text))
  })
}

test('HostGateway forwards from the bridge to the loopback address, for the container that may', async () => {
  const port = await serve('hello', '127.0.0.1')
  const gateway = gatewayTo((run) => (run === 'r1' ? [port] : []))
  await gateway.expect('r1', bridge)
  gateway.admit('r1', '127.0.0.3', bridge)
  gateway.admit('r2', '127.0.0.4', bridge)
  expect(await ask(port, '127.0.0.3')).toBe('hello')
  expect(await ask(port, '127.0.0.4')).toBeNull()
  gateway.dismiss('r1')
  expect(await ask(port, '127.0.0.3')).toBeNull()
})

test('HostGateway waits for the address of a container that has just started', async () => {
  const port = await serve('hello', '127.0.0.1')
  const gateway = gatewayTo(() => [port])
  await gateway.expect('r1', bridge)
  const answer = ask(port, '127.0.0.3')
  setTimeout(() => gateway.admit('r1', '127.0.0.3', bridge), 100)
  expect(await answer).toBe('hello')
})

test('HostGateway opens nothing before the service listens, and lets go when it may not be reached any more', async () => {
  let ports: readonly number[] = []
  const gateway = gatewayTo(() => ports)
  await gateway.expect('r1', bridge)
  gateway.admit('r1', '127.0.0.3', bridge)
  const port = await serve('hello', '127.0.0.1')
  expect(await ask(port, '127.0.0.3')).toBeNull()
  ports = [port]
  await gateway.expect('r1', bridge)
  gateway.admit('r1', '127.0.0.3', bridge)
  expect(await ask(port, '127.0.0.3')).toBe('hello')
  ports = []
  gateway.refresh()
  // At once: the service may start again, and listen on every address.
  const server = createServer()
  closing.push(() => server.close())
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, bridge, resolve))
})

test('HostGateway leaves a port alone that is open on every address', async () => {
  const port = await serve('hello', '0.0.0.0')
  const gateway = gatewayTo(() => [port])
  await gateway.expect('r1', bridge)
  expect(await ask(port, '127.0.0.4')).toBe('hello') // the service's own socket, which asks nobody who they are
})

test('HostGateway puts up with a bridge that is on another machine', async () => {
  const port = await serve('hello', '127.0.0.1')
  const gateway = gatewayTo(() => [port])
  await gateway.expect('r1', '192.0.2.1')
  gateway.refresh()
  expect(await ask(port, '127.0.0.3')).toBeNull()
})
