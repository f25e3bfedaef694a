// A proxy with certificates of its own for a test, and clients that write what they like.
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Authorities } from '../../certificates/authorities.ts'
import { LeafCache } from '../../certificates/leaf-cache.ts'
import type { ClientTimes } from '../limits.ts'
import type { FromProxy } from '../messages.ts'
import { Proxy } from '../proxy.ts'
import type { PathRule, RouteTable, ServiceTarget, Upstream } from '../route-table.ts'

export interface ProxyRig extends AsyncDisposable {
  readonly proxy: Proxy
  readonly httpPort: number
  readonly httpsPort: number
  /** PEM. */
  readonly ca: string
  /** What the proxy told the daemon so far. */
  readonly told: readonly FromProxy[]
  /** Resolves with the first message of that type, also one that came before. */
  waitFor<T extends FromProxy['type']>(type: T): Promise<Extract<FromProxy, { type: T }>>
}

/** Listens on one port for HTTP and one for HTTPS, and knows no route yet. `times`: default those of limits.ts. */
export async function openProxy(times: Partial<ClientTimes> = {}): Promise<ProxyRig> {
  const directory = await mkdtemp(join(tmpdir(), 'locald-proxy-'))
  const authorities = Authorities.open(directory)
  await authorities.ensure(['localhost'])
  const leaves = new LeafCache(authorities)
  const told: FromProxy[] = []
  const waiting = new Set<(message: FromProxy) => void>()
  const proxy = new Proxy({
    times,
    send: (message) => {
      told.push(message)
      if (message.type === 'describe') proxy.receive({ type: 'described', id: message.id, description: null })
      if (message.type === 'watched') {
        for (const service of message.services) proxy.receive({ type: 'show', service, description: null })
      }
      for (const one of waiting) one(message)
    },
    contextFor: (host) => leaves.contextFor(host),
  })
  const [httpPort = 0, httpsPort = 0] = await proxy.listen([
    { port: 0, tls: false },
    { port: 0, tls: true },
  ])
  return {
    proxy,
    httpPort,
    httpsPort,
    ca: await readFile(authorities.rootsFile, 'utf8'),
    told,
    waitFor: <T extends FromProxy['type']>(type: T) =>
      new Promise<Extract<FromProxy, { type: T }>>((resolve) => {
        const look = (message: FromProxy): void => {
          if (message.type !== type) return
          waiting.delete(look)
          resolve(message as Extract<FromProxy, { type: T }>) // of that type
        }
        waiting.add(look)
        for (const message of told) look(message)
      }),
    [Symbol.asyncDispose]: async () => {
      proxy.close()
      await rm(directory, { recursive: true, force: true })
    },
  }
}

/** A service that is up on these ports. */
export function target(ports: readonly number[], changes: Partial<ServiceTarget> = {}): ServiceTarget {
  const upstreams: readonly Upstream[] = ports.map((port, index) => ({ instance: index + 1, port }))
  return {
    key: 'p1/web',
    label: 'web',
    project: 'shop',
    state: 'up',
    upstreams,
    site: null,
    holdMs: 30_000,
    ...changes,
  }
}

/** `shop.localhost` for one service, or as the rules say. */
export function tableOf(
  services: readonly ServiceTarget[],
  rules?: readonly PathRule[],
  redirectTo: number | null = null,
): RouteTable {
  const [first] = services
  const all = rules ?? [{ prefix: '/', service: first?.key ?? '', stripPrefix: false }]
  return {
    hosts: { 'shop.localhost': { rules: all, redirectTo } },
    services: Object.fromEntries(services.map((service) => [service.key, service])),
  }
}

/** A connection on which a test writes bytes of its own. */
export interface RawClient extends Disposable {
  readonly socket: Socket
  write(text: string): void
  /** Everything that came so far, latin1. */
  readonly received: () => string
  /** Resolves once what came matches; rejects when the connection ends without. */
  waitFor(pattern: RegExp): Promise<RegExpExecArray>
  /** Resolves with everything once the other end has closed. */
  readonly closed: Promise<string>
}

export function rawClient(port: number): RawClient {
  return overSocket(connect({ port, host: '127.0.0.1' }))
}

export function overSocket(socket: Socket): RawClient {
  let text = ''
  let isOver = false
  const lookers = new Set<() => void>()
  const look = (): void => {
    for (const one of lookers) one()
  }
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
    look()
  })
  socket.on('error', () => undefined)
  const closed = new Promise<string>((resolve) => {
    socket.once('close', () => {
      isOver = true
      look()
      resolve(text)
    })
  })
  return {
    socket,
    write: (bytes) => socket.write(bytes, 'latin1'),
    received: () => text,
    waitFor: (pattern) =>
      new Promise((resolve, reject) => {
        const one = (): void => {
          const match = pattern.exec(text)
          if (match === null && !isOver) return
          lookers.delete(one)
          if (match !== null) resolve(match)
          else reject(new Error(`Closed without ${String(pattern)}:\n${text}`))
        }
        lookers.add(one)
        one()
      }),
    closed,
    [Symbol.dispose]: () => socket.destroy(),
  }
}

/** Sends bytes as they are, and resolves with all that came until the other end closed. */
export async function sendRaw(port: number, bytes: string): Promise<string> {
  using client = rawClient(port)
  client.write(bytes)
  return await client.closed
}
