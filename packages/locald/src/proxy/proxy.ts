// The proxy: accepts connections, knows the routes, and tells the daemon what it has to know.
import { createServer as createNetServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { createServer as createTlsServer, DEFAULT_CIPHERS } from 'node:tls'
import type { SecureContext, TLSSocket } from 'node:tls'
import type { ClientFacts } from './client-side.ts'
import { ConnectionRegistry } from './connection-registry.ts'
import { dialPort } from './dial-port.ts'
import type { ExchangeContext } from './exchange.ts'
import { Handshakes } from './handshakes.ts'
import { Http1Connection } from './http1-connection.ts'
import type { Http1Options } from './http1-connection.ts'
import { Http2Front } from './http2-front.ts'
import { clientTimes, describeMs, handshakeMs, mostHeldRequests, mostSentRequests } from './limits.ts'
import type { ClientTimes } from './limits.ts'
import { localAnswer } from './local-answer.ts'
import type { FromProxy, ProxyListener, ToProxy } from './messages.ts'
import { OpenPages } from './open-pages.ts'
import type { ServiceDescription } from './pages/service-description.ts'
import { emptyRouteTable, hostNameOf, routeOf } from './route-table.ts'
import type { RouteTable, ServiceTarget } from './route-table.ts'
import { ServiceGate } from './service-gate.ts'
import { SiteServer } from './site-server.ts'
import { UpstreamPool } from './upstream-pool.ts'

export interface ProxyOptions {
  readonly send: (message: FromProxy) => void
  /** A certificate for a name that is in the table: itself (`isOwn`), or a wildcard that stands for it. Null: none for now. */
  readonly contextFor: (host: string, isOwn: boolean) => Promise<SecureContext | null>
  /** Default: those of limits.ts. */
  readonly times?: Partial<ClientTimes>
}

/** Node's own, but the cheapest first: nothing here leaves the machine. */
const ciphers = [
  'TLS_AES_128_GCM_SHA256',
  ...DEFAULT_CIPHERS.split(':').filter((one) => one !== 'TLS_AES_128_GCM_SHA256'),
].join(':')

const sweepEveryMs = 250
const reloadEvent = 'event: reload\ndata: {}\n\n'
const activityEveryMs = 1000

export class Proxy {
  readonly #options: ProxyOptions
  readonly #registry: ConnectionRegistry
  readonly #handshakes: Handshakes
  readonly #gates = new Map<string, ServiceGate>()
  readonly #servers: Server[] = []
  /** Runs while there is anything to look after: where nobody asks for anything, nothing wakes. */
  #timer: NodeJS.Timeout | null = null
  #toldAt = 0
  readonly #context: ExchangeContext
  readonly #http1: Http1Options
  readonly #http2: Http2Front
  readonly #described = new Map<number, (description: ServiceDescription | null) => void>()
  readonly #pages: OpenPages
  readonly #toldActivity = new Map<string, { readonly open: number; readonly lastAt: number }>()
  #lastId = 0
  /** Requests that services have to answer. */
  #sent = 0
  #table: RouteTable = emptyRouteTable

  constructor(options: ProxyOptions) {
    this.#options = options
    this.#registry = new ConnectionRegistry({ ...clientTimes, ...options.times })
    this.#handshakes = new Handshakes(this.#registry)
    this.#pages = new OpenPages({
      gateOf: (service) => this.#gates.get(service) ?? null,
      tell: (services) => options.send({ type: 'watched', services }),
    })
    this.#context = this.#exchangeContext()
    this.#http2 = new Http2Front({ context: this.#context, registry: this.#registry })
    this.#http1 = {
      context: this.#context,
      registry: this.#registry,
      onHttp2: (socket, first) => {
        // Flowing, it would be given to nobody.
        socket.pause().unshift(first)
        this.#http2.accept(socket, this.#factsOf(socket))
      },
    }
  }

  /** Accepts connections from sockets that listen already, or from ports of this machine. Resolves with their ports. */
  async listen(
    listeners: readonly (ProxyListener | { readonly port: number; readonly tls: boolean })[],
  ): Promise<readonly number[]> {
    const ports: number[] = []
    for (const listener of listeners) {
      const server = listener.tls
        ? this.#tlsServer()
        : createNetServer({ allowHalfOpen: true, noDelay: true }, this.#onPlain)
      this.#servers.push(server)
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen('fd' in listener ? { fd: listener.fd } : { host: '127.0.0.1', port: listener.port }, () => {
          server.off('error', reject)
          server.on('error', (error) => this.#log('error', 'Cannot accept a connection', { error: String(error) }))
          resolve()
        })
      })
      const address = server.address()
      ports.push(typeof address === 'object' && address !== null ? address.port : 0)
    }
    return ports
  }

  /** Takes a message of the daemon's. */
  receive(message: ToProxy): void {
    switch (message.type) {
      case 'routes':
        return this.#useTable(message.table)
      case 'drain': {
        const { id, service, instance, timeoutMs } = message
        const done = (open: number): void => this.#options.send({ type: 'drained', id, open })
        const gate = this.#gates.get(service)
        if (gate === undefined) done(0)
        else gate.drain(instance, timeoutMs, done)
        return
      }
      case 'described':
        this.#described.get(message.id)?.(message.description)
        return
      case 'show':
        return this.#pages.show(message.service, message.description)
      case 'close':
        this.close()
        return
      case 'ensure': // for whoever makes certificates
        return
    }
  }

  /** Ends every connection, and stops listening. */
  close(): void {
    this.#rest()
    for (const server of this.#servers.splice(0)) server.close()
    for (const gate of this.#gates.values()) gate.close()
    this.#registry.closeAll()
    this.#pages.close()
  }

  // Connections.

  readonly #onPlain = (socket: Socket): void => {
    this.#wake()
    Http1Connection.open(socket, this.#factsOf(socket), this.#http1)
  }

  #tlsServer(): Server {
    const server = createTlsServer({
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: (name, done) => this.#certify(name, done),
      handshakeTimeout: handshakeMs,
      minVersion: 'TLSv1.2',
      ciphers,
      allowHalfOpen: true,
      noDelay: true,
    })
    server.on('connection', (socket) => this.#handshakes.begin(socket))
    server.on('secureConnection', (socket: TLSSocket) => {
      this.#wake()
      this.#handshakes.end(socket)
      const facts = this.#factsOf(socket)
      if (socket.alpnProtocol === 'h2') this.#http2.accept(socket, facts)
      else Http1Connection.open(socket, facts, this.#http1)
    })
    // Whoever speaks no TLS, or does not like the certificate: nothing that could be told to anybody.
    server.on('tlsClientError', (_error, socket) => socket.destroy())
    return server
  }

  /** Names that are in no table get no certificate, and none is made for them. */
  #certify(name: string, done: (error: Error | null, context?: SecureContext) => void): void {
    const host = hostNameOf(name)
    if (host === null || routeOf(this.#table, host) === undefined) return done(new Error('No such name'))
    this.#options.contextFor(host, Object.hasOwn(this.#table.hosts, host)).then(
      (context) => (context === null ? done(new Error('No certificate for now')) : done(null, context)),
      (error: unknown) => {
        this.#log('error', `Cannot make a certificate for ${host}`, { error: String(error) })
        done(new Error('No certificate'))
      },
    )
  }

  #factsOf(socket: Duplex): ClientFacts {
    const net = socket as Socket & { encrypted?: boolean } // both kinds of sockets that come here are
    return {
      isSecure: net.encrypted === true,
      port: net.localPort ?? 0,
      remoteAddress: net.remoteAddress ?? '127.0.0.1',
    }
  }

  // Routes.

  #useTable(table: RouteTable): void {
    this.#table = table
    for (const [key, gate] of this.#gates) {
      const target = table.services[key]
      if (target !== undefined) gate.update(target)
      else {
        this.#gates.delete(key)
        gate.close()
      }
    }
    for (const target of Object.values(table.services)) {
      if (!this.#gates.has(target.key)) this.#gates.set(target.key, this.#openGate(target))
    }
    this.#pages.update()
  }

  #openGate(target: ServiceTarget): ServiceGate {
    return new ServiceGate(target, {
      openPool: (port) => new UpstreamPool(dialPort(port)),
      openSite: (site) => new SiteServer(site),
      onBusy: () => this.#tellActivity(),
    })
  }

  #exchangeContext(): ExchangeContext {
    const currentTable = (): RouteTable => this.#table
    return {
      get table(): RouteTable {
        return currentTable()
      },
      gateOf: (service) => this.#gates.get(service) ?? null,
      mayHold: () => {
        let held = 0
        for (const gate of this.#gates.values()) held += gate.heldCount
        return held < mostHeldRequests
      },
      enter: () => {
        if (this.#sent >= mostSentRequests) return false
        this.#sent += 1
        return true
      },
      leave: () => {
        this.#sent -= 1
      },
      want: (gate) => {
        if (gate.isWanted) return
        gate.isWanted = true
        this.#options.send({ type: 'wanted', service: gate.target.key })
      },
      answer: localAnswer,
      openEvents: (gate, type, write) =>
        type === 'reload-events' ? gate.onSiteChange(() => write(reloadEvent)) : this.#pages.open(gate, write),
      answerForService: async (about, head) => {
        const description = await this.#describe(about.target.key)
        return localAnswer({ type: 'service', description, ...about }, head)
      },
    }
  }

  /** Null: the daemon knows no such service, or is too slow. */
  #describe(service: string): Promise<ServiceDescription | null> {
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      const done = (description: ServiceDescription | null): void => {
        clearTimeout(timer)
        this.#described.delete(id)
        resolve(description)
      }
      const timer = setTimeout(() => done(null), describeMs)
      this.#described.set(id, done)
      this.#options.send({ type: 'describe', id, service })
    })
  }

  // What happens again and again.

  #wake(): void {
    this.#timer ??= setInterval(() => this.#sweep(), sweepEveryMs).unref()
  }

  #rest(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #sweep(): void {
    const now = performance.now()
    this.#registry.sweep(now)
    for (const gate of this.#gates.values()) gate.sweep(now)
    const isAtRest = this.#registry.isEmpty && [...this.#gates.values()].every((gate) => gate.isAtRest)
    if (isAtRest || now - this.#toldAt >= activityEveryMs) this.#tellActivity()
    if (isAtRest) this.#rest()
  }

  #tellActivity(): void {
    this.#toldAt = performance.now()
    const changed: Record<string, { open: number; lastAt: number }> = {}
    for (const [key, { open, lastAt }] of this.#gates) {
      const told = this.#toldActivity.get(key)
      if (told?.open === open && told.lastAt === lastAt) continue
      if (told === undefined && lastAt === 0) continue
      changed[key] = { open, lastAt }
      this.#toldActivity.set(key, { open, lastAt })
    }
    for (const key of this.#toldActivity.keys()) if (!this.#gates.has(key)) this.#toldActivity.delete(key)
    if (Object.keys(changed).length > 0) this.#options.send({ type: 'activity', services: changed })
  }

  #log(level: 'info' | 'warn' | 'error', message: string, fields: Record<string, unknown> = {}): void {
    this.#options.send({ type: 'log', level, message, fields })
  }
}
