// A request that came as a stream of HTTP/2.
import { randomBytes } from 'node:crypto'
import { constants } from 'node:http2'
import type { ServerHttp2Stream, OutgoingHttpHeaders } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { ClientFacts, ClientSide } from './client-side.ts'
import { Exchange } from './exchange.ts'
import type { ExchangeContext } from './exchange.ts'
import { isTrailer } from './field-roles.ts'
import type { ForwardedLines } from './forwarded-fields.ts'
import { headOf } from './local-answer.ts'
import { parseHttp2Head } from './http2-head.ts'
import { OutgoingBlocks } from './outgoing-blocks.ts'
import { isRefusal } from './request-head.ts'
import type { ResponseHead } from './response-head.ts'
import { UntakenBytes } from './untaken-bytes.ts'

/** Up to this size what is to be sent is copied into memory of its own, and sent at once. */
const smallBytes = 16 * 1024
const noFields: readonly string[] = []

/** By which a stream's listeners find what it belongs to: they are the same functions for all streams. */
const owner = Symbol('owner')

interface OwnedStream extends ServerHttp2Stream {
  [owner]?: Http2Exchange | null
}

export class Http2Exchange implements ClientSide {
  readonly facts: ClientFacts
  readonly #stream: OwnedStream
  readonly #onClose: (exchange: Http2Exchange, wasReset: boolean) => void
  #untaken: UntakenBytes | null = null
  /** When the last of the request's body came, or was asked for; 0: none is waited for. */
  #bodyAt = 0
  /** Only of what is large, or goes on. */
  #blocks: OutgoingBlocks | null = null
  #exchange: Exchange | null = null
  #isOver = false
  #isEarly = false
  #head: ResponseHead | null = null
  #pieces: Buffer[] = []
  #isEnded = false
  #trailers: readonly string[] = noFields
  #isBodyOpen = false
  #requestTrailers: readonly string[] = noFields

  /** `onClose` is told whether the stream was broken off, by whichever side and with whichever code. */
  constructor(stream: OwnedStream, facts: ClientFacts, onClose: (exchange: Http2Exchange, wasReset: boolean) => void) {
    this.#stream = stream
    this.#onClose = onClose
    this.facts = facts
    stream[owner] = this
    stream.on('error', ignore)
    stream.on('close', onStreamClose)
  }

  /** `raw`: the request's head. `forwarded`: what a service is told of the connection. */
  start(raw: readonly string[], context: ExchangeContext, forwarded: ForwardedLines): void {
    const stream = this.#stream
    const head = parseHttp2Head(raw, stream.endAfterHeaders, () => randomBytes(16).toString('base64'))
    if (isRefusal(head)) {
      const answer = context.answer({ type: 'refused', ...head }, null)
      this.respond(headOf(answer, 'GET'), !stream.endAfterHeaders)
      this.write(answer.body)
      this.end([])
      return
    }
    if (!stream.endAfterHeaders) stream.on('trailers', onTrailers)
    stream.on('aborted', onAborted)
    this.#exchange = new Exchange(context, this, head, forwarded.for(head.authority))
    this.#exchange.start()
  }

  // What the stream's listeners call.

  onData(data: Buffer): void {
    this.#bodyAt = performance.now()
    this.#exchange?.onRequestData(data)
  }

  onTrailers(received: readonly string[]): void {
    this.#requestTrailers = trailersOf(received)
  }

  onEnd(): void {
    this.#bodyAt = 0
    this.#exchange?.onRequestEnd(this.#requestTrailers)
  }

  onClose(wasReset: boolean): void {
    this.#onClose(this, wasReset)
    this.onAborted()
  }

  onAborted(): void {
    const exchange = this.#exchange
    this.#exchange = null
    exchange?.onClientGone()
  }

  /** As that of a connection. */
  get stalledSince(): number {
    return Math.min(this.#bodyAt === 0 ? Infinity : this.#bodyAt, this.#untaken?.since ?? Infinity)
  }

  /** Looks whether it has gone on since the last time, and ends it when that was so long ago. */
  look(now: number, mostMs: number): void {
    const waiting = this.#blocks === null ? this.#stream.writableLength : this.#blocks.waiting
    if (waiting > 0) this.#untaken ??= new UntakenBytes()
    this.#untaken?.look(waiting, this.#blocks?.moves ?? 0, now)
    if (now - this.stalledSince < mostMs || this.#isGone) return
    this.#isOver = true
    this.#stream.close(constants.NGHTTP2_CANCEL)
    // Whoever takes nothing may not take that either.
    this.#stream.destroy()
  }

  openBody(): void {
    if (this.#isBodyOpen) return
    this.#isBodyOpen = true
    this.#bodyAt = performance.now()
    this.#stream.on('data', onData)
    this.#stream.on('end', onEnd)
  }

  pauseBody(): void {
    this.#bodyAt = 0
    this.#stream.pause()
  }

  resumeBody(): void {
    if (!this.#isBodyOpen) return
    if (this.#stream.isPaused()) this.#bodyAt = performance.now()
    this.#stream.resume()
  }

  inform(head: ResponseHead): void {
    if (this.#isGone || this.#stream.headersSent) return
    this.#trySend(() => this.#stream.additionalHeaders(headersOf(head, false)))
  }

  respond(head: ResponseHead, isEarly: boolean): void {
    this.#head = head
    this.#isEarly = isEarly
  }

  write(data: Buffer): void {
    this.#pieces.push(data)
  }

  end(trailers: readonly string[]): void {
    this.#exchange = null
    this.#isEnded = true
    this.#trailers = trailers
    this.flush()
  }

  flush(): boolean {
    if (this.#isGone || this.#isOver) return true
    if (this.#head !== null) this.#sendHead(this.#head)
    if (this.#isGone) return true
    const pieces = this.#pieces
    this.#pieces = []
    const size = pieces.reduce((sum, piece) => sum + piece.length, 0)
    const isSmall = size <= smallBytes && this.#blocks?.isEmpty !== false
    const small = isSmall && size > 0 ? Buffer.concat(pieces) : null
    if (isSmall && this.#isEnded) {
      this.#finish(small)
      return true
    }
    const blocks = this.#openBlocks()
    if (!isSmall) for (const piece of pieces) blocks.add(piece)
    if (this.#isEnded) this.#finish(null)
    else if (small !== null) blocks.pass(small)
    else blocks.send()
    return blocks.hasRoom()
  }

  #openBlocks(): OutgoingBlocks {
    return (this.#blocks ??= new OutgoingBlocks(this.#stream, () => this.#exchange?.onClientDrain()))
  }

  #sendHead(head: ResponseHead): void {
    this.#head = null
    const isWhole = this.#isEnded && this.#pieces.length === 0 && this.#trailers.length === 0
    // Whether trailers follow is known only at the end, and waiting for them costs little.
    const mayHaveTrailers = head.bodyLength === -1 && !(this.#isEnded && this.#trailers.length === 0)
    if (mayHaveTrailers) this.#stream.once('wantTrailers', this.#sendTrailers)
    this.#trySend(() => {
      this.#stream.respond(headersOf(head, true), { endStream: isWhole, waitForTrailers: mayHaveTrailers })
    })
  }

  /** Node throws what HTTP/2 has no form for, such as a status of 999: that ends this stream alone. */
  #trySend(send: () => void): void {
    try {
      send()
    } catch {
      this.#isOver = true
      this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
    }
  }

  #finish(last: Buffer | null): void {
    this.#isOver = true
    const stream = this.#stream
    if (!stream.writableEnded) {
      this.#blocks?.flush()
      if (last === null) stream.end()
      else stream.end(last)
    }
    // What is left of the request is of no use to anybody.
    if (this.#isEarly) stream.once('finish', () => stream.close(constants.NGHTTP2_NO_ERROR))
    else if (!this.#isBodyOpen) stream.resume()
  }

  readonly #sendTrailers = (): void => {
    const trailers: Record<string, string | string[]> = Object.create(null)
    addFields(trailers, this.#trailers)
    this.#stream.sendTrailers(trailers)
  }

  fail(): void {
    this.#exchange = null
    this.#isOver = true
    if (!this.#isGone) this.#stream.close(constants.NGHTTP2_INTERNAL_ERROR)
  }

  switchProtocols(head: ResponseHead): { readonly stream: Duplex; readonly first: Buffer | null } {
    this.#exchange = null
    this.#isOver = true
    this.#openBlocks() // they tell how much of it is taken
    if (!this.#isGone) {
      const headers = headersOf(head, true)
      headers[':status'] = 200
      delete headers['sec-websocket-accept']
      this.#trySend(() => this.#stream.respond(headers))
    }
    return { stream: this.#stream, first: null }
  }

  get #isGone(): boolean {
    return this.#stream.destroyed || this.#stream.closed
  }
}

/** Node's own part of a stream holds it until a full collection: what belongs to it must not stay as long. */
function onStreamClose(this: OwnedStream): void {
  const exchange = this[owner]
  this[owner] = null
  exchange?.onClose(this.aborted || this.rstCode !== constants.NGHTTP2_NO_ERROR)
}

function onAborted(this: OwnedStream): void {
  this[owner]?.onAborted()
}

function onTrailers(this: OwnedStream, _headers: unknown, _flags: number, received: readonly string[]): void {
  this[owner]?.onTrailers(received)
}

function onData(this: OwnedStream, data: Buffer): void {
  this[owner]?.onData(data)
}

function onEnd(this: OwnedStream): void {
  if (!this.aborted) this[owner]?.onEnd()
}

function headersOf(head: ResponseHead, isFinal: boolean): OutgoingHttpHeaders {
  // A service may send fields by names that objects have by themselves.
  const headers: Record<string, string | string[] | number> = Object.create(null)
  headers[':status'] = head.status
  addFields(headers, head.fields)
  if (isFinal && head.contentLength !== null) headers['content-length'] = head.contentLength
  return headers
}

function addFields(headers: Record<string, string | string[] | number>, fields: readonly string[]): void {
  for (let index = 0; index < fields.length; index += 2) {
    const name = (fields[index] ?? '').toLowerCase()
    const value = fields[index + 1] ?? ''
    const known = headers[name]
    if (known === undefined) headers[name] = value
    else if (Array.isArray(known)) known.push(value)
    // Of some fields there is only one, and Node throws when there are more.
    else if (!single.has(name)) headers[name] = [String(known), value]
  }
}

const single: ReadonlySet<string> = new Set(
  'access-control-allow-credentials access-control-max-age access-control-request-method age authorization content-encoding content-language content-length content-location content-md5 content-range content-type date dnt etag expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified location max-forwards proxy-authorization range referer retry-after tk upgrade-insecure-requests user-agent x-content-type-options'.split(
    ' ',
  ),
)

function trailersOf(raw: readonly string[]): readonly string[] {
  const trailers: string[] = []
  for (let index = 0; index < raw.length; index += 2) {
    const name = raw[index] ?? ''
    if (!name.startsWith(':') && isTrailer(name)) trailers.push(name, raw[index + 1] ?? '')
  }
  return trailers
}

/** `close` follows every error. */
function ignore(): void {}
