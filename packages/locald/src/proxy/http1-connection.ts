// A client's connection that speaks HTTP/1.1: reads requests strictly, one after the other, and writes what is answered.
import type { Duplex } from 'node:stream'
import { chunkOf, fieldLines, lastChunk } from './chunked-scanner.ts'
import type { ClientFacts, ClientSide } from './client-side.ts'
import type { ClientConnection, ConnectionRegistry } from './connection-registry.ts'
import { Exchange } from './exchange.ts'
import type { ExchangeContext } from './exchange.ts'
import { ForwardedLines } from './forwarded-fields.ts'
import { mostAheadBytes, mostHeadBytes } from './limits.ts'
import type { ClientTimes } from './limits.ts'
import { headOf } from './local-answer.ts'
import { chunked, untilClose } from './message-body.ts'
import { OutgoingBlocks } from './outgoing-blocks.ts'
import { RequestBody } from './request-body.ts'
import { isRefusal, parseRequestHead } from './request-head.ts'
import type { Refusal } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import { UntakenBytes } from './untaken-bytes.ts'

export interface Http1Options {
  readonly context: ExchangeContext
  readonly registry: ConnectionRegistry
  /** The client speaks HTTP/2 without having been asked to: the stream is the caller's, with what has been read. */
  readonly onHttp2: (socket: Duplex, first: Buffer) => void
}

/** Up to this size what is to be sent is copied into memory of its own, and sent at once. */
const smallBytes = 8 * 1024
const http2Preface = 'PRI * HTTP/2.0\r\n\r\n'

export class Http1Connection implements ClientSide, ClientConnection {
  readonly facts: ClientFacts
  readonly #socket: Duplex
  readonly #blocks: OutgoingBlocks
  readonly #options: Http1Options
  readonly #times: ClientTimes
  readonly #untaken = new UntakenBytes()
  /** Bytes that nobody wanted yet. */
  #ahead: Buffer | null = null
  /** So many of them have been searched for the end of a head. */
  #searched = 0
  #exchange: Exchange | null = null
  #body: RequestBody | null = null
  #isBodyWanted = false
  #isPaused = false
  /** Too much of earlier answers waits for the client: no request more is taken from it. */
  #isBacklogged = false
  #isTaking = false
  #isLingering = false
  #isHandedOver = false
  #deadline: number
  #isFirst = true

  // The answer under way.
  #isChunked = false
  #isLast = false
  #headText = ''
  #pieces: Buffer[] = []

  readonly #forwarded: ForwardedLines

  /** Serves a client from here on. */
  static open(socket: Duplex, facts: ClientFacts, options: Http1Options): void {
    const connection = new Http1Connection(socket, facts, options)
    if (!options.registry.add(connection)) socket.destroy()
  }

  private constructor(socket: Duplex, facts: ClientFacts, options: Http1Options) {
    this.#socket = socket
    this.#blocks = new OutgoingBlocks(socket, () => this.#onRoom())
    this.facts = facts
    this.#forwarded = new ForwardedLines(facts)
    this.#options = options
    this.#times = options.registry.times
    this.#deadline = performance.now() + this.#times.idleMs
    socket.on('error', ignore)
    socket.on('data', this.#onData)
    socket.on('end', this.#onEnd)
    socket.on('close', this.#onClose)
  }

  get deadline(): number {
    return this.#deadline
  }

  get isIdle(): boolean {
    return this.#exchange === null && !this.#isHandedOver && this.#blocks.waiting === 0
  }

  get stalledSince(): number {
    // With a request under way, a deadline is that of its body.
    const bodySince = this.#exchange === null ? Infinity : this.#deadline - this.#times.bodyIdleMs
    return Math.min(bodySince, this.#untaken.since)
  }

  look(now: number): void {
    const { waiting, moves } = this.#blocks
    this.#untaken.look(waiting, moves, now)
    if (now - this.#untaken.since >= this.#times.bodyIdleMs) return this.destroy()
    if (waiting > 0 && this.#isBetweenRequests) this.#deadline = now + this.#restMs
  }

  /** It is read by nobody else, and no request has begun. */
  get #isBetweenRequests(): boolean {
    return this.#exchange === null && !this.#isHandedOver && this.#searched === 0
  }

  /** How long it is kept once it has taken all that was answered. */
  get #restMs(): number {
    return this.#isLingering ? this.#times.lingerMs : this.#times.idleMs
  }

  destroy(): void {
    this.#socket.destroy()
  }

  onDeadline(): void {
    const isInHead = this.#exchange === null && this.#ahead !== null && !this.#isLingering
    if (isInHead) this.#refuse({ status: 408, reason: 'Its head did not come in time' })
    else this.#socket.destroy()
  }

  // What comes.

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isLingering) return
    this.#ahead = this.#ahead === null ? chunk : Buffer.concat([this.#ahead, chunk])
    this.#takeAll()
  }

  /** Takes as much of what came as is wanted now. */
  #takeAll(): void {
    if (this.#isTaking) return
    this.#isTaking = true
    while (this.#ahead !== null && !this.#isLingering && !this.#isHandedOver && this.#takeSome(this.#ahead));
    this.#isTaking = false
    const waits = this.#exchange !== null || this.#isBacklogged
    if (waits && this.#ahead !== null && this.#ahead.length > mostAheadBytes) this.#pause()
  }

  #takeSome(buffer: Buffer): boolean {
    if (this.#exchange === null) return !this.#isBacklogged && this.#takeHead(buffer)
    if (this.#body === null || !this.#isBodyWanted) return false
    this.#ahead = null
    return this.#takeBody(this.#exchange, this.#body, buffer)
  }

  /** The client has taken some of what waited for it. */
  #onRoom(): void {
    if (this.#exchange !== null) return this.#exchange.onClientDrain()
    if (!this.#isBacklogged || this.#isLingering || this.#isHandedOver) return
    this.#isBacklogged = false
    this.resumeBody()
    this.#takeAll()
  }

  #takeHead(buffer: Buffer): boolean {
    const end = buffer.indexOf('\r\n\r\n', Math.max(0, this.#searched - 3), 'latin1')
    if (end === -1 || end > mostHeadBytes) return this.#awaitHead(buffer)
    this.#searched = 0
    // An empty line before a request is allowed: some clients end a body with one.
    const start = buffer[0] === 0x0d && buffer[1] === 0x0a ? 2 : 0
    if (this.#isFirst && end === 14 && buffer.toString('latin1', 0, 18) === http2Preface) {
      this.#handOver()
      this.#options.onHttp2(this.#socket, buffer)
      return false
    }
    this.#isFirst = false
    this.#ahead = end + 4 === buffer.length ? null : buffer.subarray(end + 4)
    const head = parseRequestHead(buffer.toString('latin1', start, end))
    if (isRefusal(head)) {
      this.#refuse(head)
      return false
    }
    this.#isLast = !head.keepAlive
    this.#isBodyWanted = false
    this.#body = head.bodyLength === 0 ? null : new RequestBody(head.bodyLength)
    this.#deadline = Infinity
    const exchange = new Exchange(this.#options.context, this, head, this.#forwarded.for(head.authority))
    this.#exchange = exchange
    exchange.start()
    return true
  }

  /** Only what can still become a head is waited for, and only for so long. */
  #awaitHead(buffer: Buffer): boolean {
    if (buffer.length > mostHeadBytes) {
      this.#refuse({ status: 431, reason: `Its head is larger than ${mostHeadBytes} bytes` })
    } else if (!mayBecomeHead(buffer, this.#searched)) {
      this.#refuse({ status: 400, reason: 'It is not HTTP' })
    } else {
      if (this.#searched === 0) this.#deadline = performance.now() + this.#times.headMs
      this.#searched = buffer.length
    }
    return false
  }

  #takeBody(exchange: Exchange, body: RequestBody, buffer: Buffer): boolean {
    const end = body.scan(buffer, 0, (data) => exchange.onRequestData(data))
    if (end === -1) {
      this.#breakOff(exchange)
      return false
    }
    this.#ahead = end === buffer.length ? null : buffer.subarray(end)
    if (!body.isDone) {
      this.#deadline = performance.now() + this.#times.bodyIdleMs
      return false
    }
    this.#body = null
    this.#deadline = Infinity
    exchange.onRequestEnd(body.trailers)
    return this.#ahead !== null
  }

  /** The body is no body: what has been sent of it is all that the service gets. */
  #breakOff(exchange: Exchange): void {
    this.#exchange = null
    exchange.onClientGone()
    if (this.#headText !== '' || this.#isAnswering) this.#socket.destroy()
    else this.#refuse({ status: 400, reason: 'Its body is not framed as it has to be' })
  }

  #isAnswering = false

  readonly #onEnd = (): void => {
    // Whoever ends its side does not wait for an answer; everybody who does keeps it open.
    if (this.#exchange !== null) {
      this.#socket.destroy()
      return
    }
    this.#blocks.end()
  }

  readonly #onClose = (): void => {
    this.#options.registry.delete(this)
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.onClientGone()
  }

  openBody(): void {
    this.#isBodyWanted = true
    if (this.#body !== null) this.#deadline = performance.now() + this.#times.bodyIdleMs
    const isNested = this.#isTaking
    this.#isTaking = false
    this.#takeAll()
    this.#isTaking = isNested
    if (this.#isPaused) this.resumeBody()
  }

  pauseBody(): void {
    this.#deadline = Infinity
    this.#pause()
  }

  resumeBody(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
    if (this.#body !== null) this.#deadline = performance.now() + this.#times.bodyIdleMs
  }

  #pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  // What is answered.

  inform(head: ResponseHead): void {
    if (this.#isAnswering) return
    this.#blocks.flush()
    this.#socket.write(`HTTP/1.1 ${head.status} ${head.reason}\r\n${fieldLines(head.fields)}\r\n`, 'latin1')
  }

  respond(head: ResponseHead, isEarly: boolean): void {
    const isHttp11 = this.#exchange?.head.isHttp11 ?? true
    this.#isAnswering = true
    this.#isChunked = isHttp11 && (head.bodyLength === chunked || head.bodyLength === untilClose)
    // Without chunks, only the end of the connection ends a body of unknown length.
    if (isEarly || (!isHttp11 && head.bodyLength < 0)) this.#isLast = true
    const length = head.contentLength === null ? '' : `Content-Length: ${head.contentLength}\r\n`
    const framing = this.#isChunked ? 'Transfer-Encoding: chunked\r\n' : length
    const connection = this.#isLast ? 'Connection: close\r\n' : ''
    this.#headText = `HTTP/1.1 ${head.status} ${head.reason}\r\n${fieldLines(head.fields)}${framing}${connection}\r\n`
  }

  write(data: Buffer): void {
    this.#pieces.push(this.#isChunked ? chunkOf(data) : data)
  }

  flush(): boolean {
    const [headText, pieces, blocks] = [this.#headText, this.#pieces, this.#blocks]
    const [first] = pieces
    if (headText === '' && first === undefined) return blocks.hasRoom()
    const size = headText.length + pieces.reduce((sum, piece) => sum + piece.length, 0)
    if (blocks.isEmpty && size <= smallBytes) blocks.pass(this.#joined(size))
    else if (blocks.isEmpty && first?.length === size && this.#mayPass) blocks.pass(first)
    else this.#collect()
    this.#headText = ''
    this.#pieces = []
    return blocks.hasRoom()
  }

  #joined(size: number): Buffer {
    const all = Buffer.allocUnsafe(size)
    let at = all.write(this.#headText, 0, 'latin1')
    for (const piece of this.#pieces) at += piece.copy(all, at)
    return all
  }

  /** Encryption takes all of a piece before it returns; the system may take some of it later. */
  get #mayPass(): boolean {
    return this.facts.isSecure && this.#socket.writableLength === 0
  }

  #collect(): void {
    const blocks = this.#blocks
    if (this.#headText !== '') blocks.addText(this.#headText)
    for (const piece of this.#pieces) blocks.add(piece)
    blocks.send()
  }

  end(trailers: readonly string[]): void {
    if (this.#isChunked) this.#pieces.push(lastChunk(trailers))
    this.#isBacklogged = !this.flush()
    this.#finish()
  }

  fail(): void {
    this.#exchange = null
    this.#socket.destroy()
  }

  /** The exchange is over: the next request, or the end. */
  #finish(): void {
    this.#exchange = null
    this.#isAnswering = false
    this.#isChunked = false
    if (this.#isLast) return this.#linger()
    this.#deadline = performance.now() + this.#times.idleMs
    if (this.#isPaused) {
      this.#isPaused = false
      this.#socket.resume()
    }
    this.#takeAll()
  }

  #refuse(refusal: Refusal): void {
    const answer = this.#options.context.answer({ type: 'refused', ...refusal }, null)
    this.#isLast = true
    this.respond(headOf(answer, 'GET'), true)
    this.write(answer.body)
    this.end([])
  }

  /** Closes, but reads on for a moment: what is unread at a close makes the system throw the answer away. */
  #linger(): void {
    this.#isLingering = true
    this.#ahead = null
    this.#body = null
    this.#deadline = performance.now() + this.#restMs
    this.#blocks.end()
    this.#socket.resume()
  }

  switchProtocols(head: ResponseHead): { readonly stream: Duplex; readonly first: Buffer | null } {
    const first = this.#ahead
    this.#handOver()
    this.#exchange = null
    this.#blocks.flush()
    this.#socket.write(
      `HTTP/1.1 101 ${head.reason}\r\nConnection: Upgrade\r\nUpgrade: ${head.upgrade}\r\n${fieldLines(head.fields)}\r\n`,
      'latin1',
    )
    return { stream: this.#socket, first }
  }

  /** The socket is somebody else's from here on; it still counts as a connection. */
  #handOver(): void {
    this.#isHandedOver = true
    this.#deadline = Infinity
    this.#ahead = null
    const socket = this.#socket
    socket.off('data', this.#onData).off('end', this.#onEnd)
  }
}

/** A method, or the beginning of one, and no line that ends otherwise than with CR LF. */
function mayBecomeHead(buffer: Buffer, searched: number): boolean {
  const [first = 0] = buffer
  if (first !== 0x0d && (first < 0x21 || first > 0x7e)) return false
  let lineFeed = buffer.indexOf(0x0a, searched)
  while (lineFeed !== -1) {
    if (buffer[lineFeed - 1] !== 0x0d) return false
    lineFeed = buffer.indexOf(0x0a, lineFeed + 1)
  }
  return true
}

/** `close` follows every error. */
function ignore(): void {}
