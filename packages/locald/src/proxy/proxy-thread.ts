// The daemon's end of the proxy: starts its thread, tells it things, and hears from it.
import { closeSync, fstatSync } from 'node:fs'
import { Worker } from 'node:worker_threads'
import type { Logger } from '../lib/logger.ts'
import { duplicate } from '../lib/native.ts'
import type { FromProxy, ProxyListener, ProxyThreadData, ToProxy } from './messages.ts'
import type { RouteTable } from './route-table.ts'

export interface ProxyThreadOptions {
  /** The text of `dist/proxy.cjs`, read when the daemon started: an upgrade of the package changes nothing under it. */
  readonly program: string
  /** Inherited from the keeper. They stay open, and listening, whatever happens to the thread. */
  readonly listeners: readonly ProxyListener[]
  /** `<data>/ca`. */
  readonly authorities: string
  readonly logger: Logger
  /** Everything that the thread says but `drained` and `log`; when it has ended, that no page is open. */
  readonly onMessage: (message: FromProxy) => void
}

/** The first time at once, then slower, so that what fails each time does not fill the log. */
const mostRestartDelayMs = 5_000
const steadyMs = 60_000

export class ProxyThread implements AsyncDisposable {
  readonly #options: ProxyThreadOptions
  readonly #drains = new Map<number, (open: number) => void>()
  #worker: Worker | null = null
  #table: RouteTable | null = null
  #isClosed = false
  #failures = 0
  #startedAt = 0
  #lastId = 0
  #restart: NodeJS.Timeout | null = null
  #onListening: (() => void)[] = []
  #isListening = false

  constructor(options: ProxyThreadOptions) {
    this.#options = options
    this.#start()
  }

  /** Resolves once connections are accepted. */
  listening(): Promise<void> {
    if (this.#isListening) return Promise.resolve()
    return new Promise((resolve) => this.#onListening.push(resolve))
  }

  /** What holds from now on; kept, and told again to a thread that takes the place of one that ended. */
  useRoutes(table: RouteTable): void {
    this.#table = table
    this.#post({ type: 'routes', table })
  }

  /**
   * Holds new requests to an instance until the next `useRoutes` that names it, and resolves when those under way are done
   * or the time is up, with how many are not.
   */
  drain(service: string, instance: number, timeoutMs: number): Promise<number> {
    if (this.#worker === null) return Promise.resolve(0)
    this.#lastId += 1
    const id = this.#lastId
    return new Promise((resolve) => {
      this.#drains.set(id, resolve)
      this.#post({ type: 'drain', id, service, instance, timeoutMs })
    })
  }

  /** Answers a `describe`, or another message that asks. */
  send(message: ToProxy): void {
    this.#post(message)
  }

  /** Ends the thread and every connection it has. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    if (this.#restart !== null) clearTimeout(this.#restart)
    this.#endDrains()
    await this.#worker?.terminate()
  }

  #start(): void {
    this.#restart = null
    this.#startedAt = performance.now()
    const { program, listeners, authorities, logger } = this.#options
    // A thread closes what it listens on when it ends, so each gets descriptors of its own.
    const own = listeners.map((listener) => ({ ...listener, fd: duplicate(listener.fd) }))
    const files = own.map(({ fd }) => fileOf(fd))
    const workerData: ProxyThreadData = { listeners: own, authorities }
    let hasListened = false
    const worker = new Worker(program, { eval: true, workerData, name: 'proxy', stdout: false, stderr: false })
    this.#worker = worker
    worker.on('message', (message: FromProxy) => {
      if (message.type === 'listening') hasListened = true
      this.#receive(message)
    })
    worker.on('error', (error) => logger.log('error', 'The proxy has failed', { error }))
    worker.once('exit', (code) => {
      if (!hasListened) for (const [index, { fd }] of own.entries()) closeIfStill(fd, files[index])
      this.#onExit(code)
    })
    if (this.#table !== null) this.#post({ type: 'routes', table: this.#table })
  }

  #onExit(code: number): void {
    this.#worker = null
    this.#isListening = false
    this.#endDrains()
    if (this.#isClosed) return
    // Its connections have ended with it; pages come back by themselves.
    this.#options.onMessage({ type: 'watched', services: [] })
    this.#failures = performance.now() - this.#startedAt > steadyMs ? 0 : this.#failures + 1
    const delayMs = Math.min(mostRestartDelayMs, this.#failures <= 1 ? 0 : 100 * 2 ** this.#failures)
    this.#options.logger.log('warn', 'The proxy is started again', { code, delayMs })
    this.#restart = setTimeout(() => this.#start(), delayMs)
  }

  #receive(message: FromProxy): void {
    switch (message.type) {
      case 'listening':
        this.#isListening = true
        for (const resolve of this.#onListening.splice(0)) resolve()
        return this.#options.onMessage(message)
      case 'drained':
        this.#drains.get(message.id)?.(message.open)
        this.#drains.delete(message.id)
        return
      case 'log':
        this.#options.logger.log(message.level, message.message, message.fields)
        return
      default:
        this.#options.onMessage(message)
    }
  }

  #endDrains(): void {
    for (const resolve of this.#drains.values()) resolve(0)
    this.#drains.clear()
  }

  #post(message: ToProxy): void {
    this.#worker?.postMessage(message)
  }
}

/** Which file a descriptor is of. */
function fileOf(fd: number): string {
  const { dev, ino } = fstatSync(fd)
  return `${dev} ${ino}`
}

/** The thread may have taken it before it ended, and closed it: its number may be another file's by now. */
function closeIfStill(fd: number, file: string | undefined): void {
  try {
    if (fileOf(fd) === file) closeSync(fd)
  } catch {
    // It is closed.
  }
}
