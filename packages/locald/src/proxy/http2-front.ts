// Clients that speak HTTP/2: one session a connection, one exchange a stream.
import { createServer } from 'node:http2'
import type { Http2Server, IncomingHttpHeaders, ServerHttp2Session, ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { ClientFacts } from './client-side.ts'
import type { ClientConnection, ConnectionRegistry } from './connection-registry.ts'
import type { ExchangeContext } from './exchange.ts'
import { ForwardedLines } from './forwarded-fields.ts'
import { Http2Exchange } from './http2-exchange.ts'
import { mostFields, mostHeadBytes, mostStreams, mostWideSessions } from './limits.ts'
import { ResetBudget } from './reset-budget.ts'

export interface Http2Options {
  readonly context: ExchangeContext
  readonly registry: ConnectionRegistry
}

/** As ours: many small files at once, without a round trip for each window. */
const windowBytes = 1024 * 1024
const sessionWindowBytes = 8 * 1024 * 1024

export class Http2Front {
  readonly #server: Http2Server
  readonly #options: Http2Options

  constructor(options: Http2Options) {
    this.#options = options
    // Where these are known, a page that is reloaded often does not end its own connection.
    const resets = { streamResetBurst: 100_000, streamResetRate: 1000 }
    this.#server = createServer({
      ...resets,
      settings: {
        enableConnectProtocol: true,
        maxConcurrentStreams: mostStreams,
        initialWindowSize: windowBytes,
        maxHeaderListSize: mostHeadBytes,
      },
      maxHeaderListPairs: mostFields,
      maxSessionMemory: 64,
      maxSessionInvalidFrames: 100,
    })
    this.#server.on('session', (session) => this.#onSession(session))
    this.#server.on('sessionError', ignore)
    this.#server.on('stream', ignore)
    this.#server.setTimeout(0)
  }

  /** A socket whose other end speaks HTTP/2. */
  accept(socket: Duplex, facts: ClientFacts): void {
    socket.on('error', ignore)
    // Whoever ends its side is gone.
    socket.once('end', () => socket.destroy())
    this.#pending = facts
    this.#server.emit('connection', socket)
    this.#pending = null
  }

  #pending: ClientFacts | null = null
  #wideSessions = 0

  #onSession(session: ServerHttp2Session): void {
    const facts = this.#pending
    if (facts === null) return session.destroy()
    if (this.#wideSessions < mostWideSessions) this.#widen(session)
    Http2Session.open(session, facts, this.#options)
  }

  /** What a client may send ahead is kept in memory: not by everybody at once. */
  #widen(session: ServerHttp2Session): void {
    this.#wideSessions += 1
    session.once('close', () => (this.#wideSessions -= 1))
    session.setLocalWindowSize(sessionWindowBytes)
  }
}

/** One connection. */
class Http2Session implements ClientConnection {
  readonly #session: ServerHttp2Session
  readonly #facts: ClientFacts
  readonly #options: Http2Options
  readonly #resets = new ResetBudget()
  readonly #exchanges = new Set<Http2Exchange>()
  #deadline: number
  readonly #forwarded: ForwardedLines

  static open(session: ServerHttp2Session, facts: ClientFacts, options: Http2Options): void {
    const connection = new Http2Session(session, facts, options)
    if (!options.registry.add(connection)) session.destroy()
  }

  private constructor(session: ServerHttp2Session, facts: ClientFacts, options: Http2Options) {
    this.#session = session
    this.#deadline = performance.now() + options.registry.times.idleMs
    this.#facts = facts
    this.#forwarded = new ForwardedLines(facts)
    this.#options = options
    session.on('error', ignore)
    session.on('stream', this.#onStream)
    session.once('close', () => options.registry.delete(this))
  }

  get deadline(): number {
    return this.#deadline
  }

  get isIdle(): boolean {
    return this.#exchanges.size === 0
  }

  /** As long as one of its streams goes on, it does. */
  get stalledSince(): number {
    let last = -Infinity
    for (const { stalledSince } of this.#exchanges) last = Math.max(last, stalledSince)
    return last === -Infinity ? Infinity : last
  }

  look(now: number): void {
    for (const exchange of this.#exchanges) exchange.look(now, this.#options.registry.times.bodyIdleMs)
  }

  destroy(): void {
    this.#session.destroy()
  }

  onDeadline(): void {
    this.#deadline = performance.now() + this.#options.registry.times.idleMs
    if (this.#session.closed) this.#session.destroy()
    else this.#session.close()
  }

  readonly #onStream = (
    stream: ServerHttp2Stream,
    _headers: IncomingHttpHeaders,
    _flags: number,
    raw: string[],
  ): void => {
    this.#deadline = Infinity
    const { context } = this.#options
    const exchange = new Http2Exchange(stream, this.#facts, this.#onStreamClose)
    this.#exchanges.add(exchange)
    exchange.start(raw, context, this.#forwarded)
  }

  readonly #onStreamClose = (exchange: Http2Exchange, wasReset: boolean): void => {
    this.#exchanges.delete(exchange)
    if (this.#exchanges.size === 0) this.#deadline = performance.now() + this.#options.registry.times.idleMs
    // On older versions of Node a session that has seen too many resets is ended, with all that is under way on it.
    if (wasReset && !this.#resets.take(performance.now()) && !this.#session.closed) {
      this.#session.close()
    }
  }
}

/** A session's error ends the session, which is all that there is to do. */
function ignore(): void {}
