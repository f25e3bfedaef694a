// The proxy as a thread, of the text that is built.
import { createServer as createHttpServer, get } from 'node:http'
import { once } from 'node:events'
import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo, Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { duplicate } from '../src/lib/native.ts'
import type { ProxyListener } from '../src/proxy/messages.ts'
import { ProxyThread } from '../src/proxy/proxy-thread.ts'
import type { RouteTable } from '../src/proxy/route-table.ts'

const program = readFileSync(fileURLToPath(new URL('../dist/proxy.cjs', import.meta.url)), 'utf8')

it('ProxyThread serves on descriptors that outlive its thread, and starts another when that ends', async () => {
  const service = createHttpServer((_request, response) => response.end('here'))
  const directory = await mkdtemp(join(tmpdir(), 'locald-proxy-thread-'))
  const logged: string[] = []
  const port = await listen(service)
  const listener = await openListener()
  const thread = new ProxyThread({
    program,
    listeners: [listener],
    authorities: directory,
    logger: { log: (_level, message) => logged.push(message) },
    onMessage: () => undefined,
  })
  try {
    thread.useRoutes(tableFor(port))
    await thread.listening()
    expect(await answerOf(listener.port)).toBe('here')
    expect(await thread.drain('p1/other', 1, 1000)).toBe(0)
    thread.send({ type: 'close' })
    expect(await answerOf(listener.port)).toBe('here')
    expect(logged).toEqual(['The proxy is started again'])
  } finally {
    await thread[Symbol.asyncDispose]()
    closeSync(listener.fd)
    service.close()
    service.closeAllConnections()
    await rm(directory, { recursive: true, force: true })
  }
})

it('ProxyThread starts another thread when one cannot listen, and loses no descriptor over it', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'locald-proxy-thread-'))
  const logged: string[] = []
  const listener = await openListener()
  const file = openSync(join(directory, 'file'), 'w')
  const before = readdirSync('/proc/self/fd').length
  const thread = new ProxyThread({
    program,
    listeners: [listener, { ...listener, fd: file }],
    authorities: directory,
    logger: { log: (_level, message) => logged.push(message) },
    onMessage: () => undefined,
  })
  try {
    thread.useRoutes(tableFor(1))
    const round = ['The proxy cannot listen', 'The proxy is started again']
    await expect.poll(() => logged.slice(0, 6), { timeout: 20_000 }).toEqual([...round, ...round, ...round])
  } finally {
    await thread[Symbol.asyncDispose]()
    await expect.poll(() => readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before)
    closeSync(file)
    closeSync(listener.fd)
    await rm(directory, { recursive: true, force: true })
  }
})

async function listen(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port // of TCP
}

/** Listens, and accepts nothing itself, as the keeper does. */
async function openListener(): Promise<ProxyListener> {
  const server = createServer()
  const port = await listen(server)
  const { fd } = (server as Server & { _handle: { fd: number } })._handle // Node tells it nowhere else
  const own = duplicate(fd)
  server.close()
  return { fd: own, port, family: 4, tls: false }
}

async function answerOf(port: number): Promise<string> {
  const request = get({ port, host: '127.0.0.1', agent: false, headers: { host: 'shop.localhost' } })
  const [response] = await once(request, 'response')
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return body
}

function tableFor(port: number): RouteTable {
  const target = {
    key: 'p1/web',
    label: 'web',
    project: 'shop',
    state: 'up' as const,
    upstreams: [{ instance: 1, port }],
    site: null,
    holdMs: 30_000,
  }
  return {
    hosts: {
      'shop.localhost': { rules: [{ prefix: '/', service: target.key, stripPrefix: false }], redirectTo: null },
    },
    services: { [target.key]: target },
  }
}
