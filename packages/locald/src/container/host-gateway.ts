// Lets containers reach services of this machine that listen on its loopback address alone: forwards from the bridge's own
// address, on the same port, and only for the containers that depend on that service.
import { connect, createServer } from 'node:net'
import type { Server, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { servesLoopback } from '../lib/listener.ts'
import type { Listener } from '../lib/listener.ts'
import type { Logger } from '../lib/logger.ts'

/** Where a container stands in its network. */
interface NetworkPlace {
  /** Its own address; null until it has one. */
  readonly address: string | null
  /** The bridge's. */
  readonly gateway: string
}

export interface HostGatewayOptions {
  /** Ports of this machine that a run may reach now. */
  readonly reachable: (run: string) => readonly number[]
  readonly listListeners: () => Promise<readonly Listener[]>
  readonly logger: Logger
}

/** A container may connect before the engine has told its address. */
const admissionMs = { every: 50, atMost: 2000 }

export class HostGateway implements Disposable {
  readonly #options: HostGatewayOptions
  readonly #places = new Map<string, NetworkPlace>()
  readonly #servers = new Map<string, Server>()
  /** Of another machine, such as the one that Docker Desktop keeps for itself: its engine sees to the way here. */
  readonly #foreign = new Set<string>()
  #refreshing: Promise<void> = Promise.resolve()
  #isRefreshing = false
  #isStale = false
  #isDisposed = false

  constructor(options: HostGatewayOptions) {
    this.#options = options
  }

  /** A container is about to start in the network of this bridge. Resolves when it can connect to what it may reach. */
  async expect(run: string, gateway: string): Promise<void> {
    this.#places.set(run, { address: null, gateway })
    this.refresh()
    await this.#refreshing
  }

  /** From now on the container at this address is let through. */
  admit(run: string, address: string, gateway: string): void {
    if (address === '' || gateway === '') return
    const before = this.#places.get(run)
    this.#places.set(run, { address, gateway })
    if (before?.gateway !== gateway) this.refresh()
  }

  dismiss(run: string): void {
    if (this.#places.delete(run)) this.refresh()
  }

  /** To be called when what a run may reach, or where that listens, may have changed. */
  refresh(): void {
    this.#isStale = true
    if (this.#isRefreshing || this.#isDisposed) return
    if (this.#places.size === 0 && this.#servers.size === 0) return
    this.#isRefreshing = true
    this.#refreshing = this.#refreshAll()
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true
    this.#places.clear()
    for (const server of this.#servers.values()) server.close()
    this.#servers.clear()
  }

  async #refreshAll(): Promise<void> {
    while (this.#isStale && !this.#isDisposed) {
      this.#isStale = false
      try {
        await this.#bringInLine()
      } catch (error) {
        this.#options.logger.log('warn', 'Cannot look for what containers may reach', { error })
      }
    }
    this.#isRefreshing = false
  }

  async #bringInLine(): Promise<void> {
    const wanted = new Map<string, { readonly gateway: string; readonly port: number }>()
    const places = [...this.#places]
    for (const [run, { gateway }] of places) {
      if (this.#foreign.has(gateway)) continue
      for (const port of this.#options.reachable(run)) wanted.set(`${gateway}:${port}`, { gateway, port })
    }
    for (const [key, server] of this.#servers) {
      if (wanted.has(key)) continue
      // At once: a service that starts again may want to listen on every address.
      server.close()
      this.#servers.delete(key)
    }
    const missing = [...wanted].filter(([key]) => !this.#servers.has(key))
    if (missing.length === 0) return
    const listeners = await this.#options.listListeners()
    for (const [key, { gateway, port }] of missing) {
      if (this.#isDisposed || !isOnLoopbackAlone(listeners, port)) continue
      const server = await this.#listen(gateway, port)
      if (server !== null) this.#servers.set(key, server)
    }
  }

  /** Null: somebody listens there already, and so can be reached without us, or it is no address of this machine. */
  async #listen(gateway: string, port: number): Promise<Server | null> {
    const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }, (socket) => {
      void this.#forward(socket, gateway, port)
    })
    return await new Promise((resolve) => {
      server.once('error', (error: NodeJS.ErrnoException) => {
        if (error.code === 'EADDRNOTAVAIL') this.#foreign.add(gateway)
        resolve(null)
      })
      server.listen({ host: gateway, port }, () => resolve(server))
    })
  }

  async #forward(socket: Socket, gateway: string, port: number): Promise<void> {
    socket.on('error', () => socket.destroy())
    if (!(await this.#isAdmitted(socket, gateway, port))) {
      socket.destroy()
      return
    }
    const target = connect({ host: 'localhost', port, allowHalfOpen: true, autoSelectFamily: true })
    target.on('error', () => socket.destroy())
    socket.on('close', () => target.destroy())
    target.on('close', () => socket.destroy())
    socket.pipe(target)
    target.pipe(socket)
    socket.resume()
  }

  async #isAdmitted(socket: Socket, gateway: string, port: number): Promise<boolean> {
    const peer = socket.remoteAddress
    for (let waited = 0; !socket.destroyed && !this.#isDisposed; waited += admissionMs.every) {
      const isKnown = [...this.#places].some(
        ([run, place]) =>
          place.gateway === gateway && place.address === peer && this.#options.reachable(run).includes(port),
      )
      if (isKnown) return true
      if (waited >= admissionMs.atMost) return false
      await sleep(admissionMs.every)
    }
    return false
  }
}

function isOnLoopbackAlone(listeners: readonly Listener[], port: number): boolean {
  const there = listeners.filter((listener) => listener.port === port && servesLoopback(listener.address))
  return there.length > 0 && !there.some(({ address }) => address === '0.0.0.0' || address === '::')
}
