// One connection to a service: sends requests one after the other, and takes the answers apart as their bytes come.
import type { Duplex } from 'node:stream'
import { ChunkedScanner } from './chunked-scanner.ts'
import { mostHeadBytes, mostInformations } from './limits.ts'
import { chunked, untilClose } from './message-body.ts'
import { parseResponseHead } from './response-head.ts'
import type { ResponseHead } from './response-head.ts'

/** Who sent the request that is under way. */
export interface ResponseReceiver {
  readonly method: string
  /** An informational answer (100, 103); others follow. */
  onInformation(head: ResponseHead): void
  onResponse(head: ResponseHead): void
  onResponseData(data: Buffer): void
  /** The answer is whole; trailers: name and value in turns. The connection has been let go of. */
  onResponseEnd(trailers: readonly string[]): void
  /** All that came at once has been told, and its bytes will be overwritten. */
  onResponsePause(): void
  /** The service speaks another protocol from here on, and has said this much in it already. The connection is the receiver's. */
  onUpgrade(head: ResponseHead, socket: Duplex, first: Buffer): void
  /** The connection is gone; nothing follows. */
  onUpstreamFailure(failure: UpstreamFailure): void
  onUpstreamDrain(): void
}

/** Tells what was read into memory that is used again for the next read. */
export interface UpstreamReader {
  /** False: nothing more is read until the stream is. */
  take: (bytes: Buffer) => boolean
}

export interface UpstreamSocket {
  readonly stream: Duplex
  /** Tells what came; null: the stream does. */
  readonly reader: UpstreamReader | null
}

export interface UpstreamFailure {
  /** ended: without a (whole) answer. malformed: what came is not HTTP. undecided: it kept on informing. */
  readonly trouble: 'ended' | 'malformed' | 'undecided'
  /** Some of an answer had come. What is no answer, on a connection that was used before, is taken for more of the last one. */
  readonly hadBytes: boolean
}

const none: readonly string[] = []
const nothing = Buffer.alloc(0)

export class UpstreamConnection {
  readonly socket: Duplex
  /** Requests sent so far. */
  uses = 0
  /** When the last answer ended, and for how long it may be used from then on; milliseconds. */
  idleSince = 0
  idleLimitMs = Infinity
  /** No other request is sent after this one. */
  isLast = false
  readonly #onIdle: (connection: UpstreamConnection) => void
  readonly #onClose: (connection: UpstreamConnection) => void
  #receiver: ResponseReceiver | null = null
  #step: 'head' | 'length' | 'chunked' | 'until-close' = 'head'
  #response: ResponseHead | null = null
  #ahead: Buffer | null = null
  #left = 0
  #scanner: ChunkedScanner | null = null
  #isRequestSent = false
  #hadBytes = false
  #heads = 0
  #trouble: UpstreamFailure['trouble'] = 'ended'
  readonly #reader: UpstreamReader | null

  /** Of a socket that is connected. `onIdle`: another request can be sent. `onClose`: none can be, ever. */
  constructor(
    { stream, reader }: UpstreamSocket,
    onIdle: (connection: UpstreamConnection) => void,
    onClose: (connection: UpstreamConnection) => void,
  ) {
    this.socket = stream
    this.#reader = reader
    this.#onIdle = onIdle
    this.#onClose = onClose
    if (reader === null) stream.on('data', this.#onData)
    else reader.take = this.#takeRead
    stream.on('end', this.#onEnd)
    stream.on('close', this.#onEnd)
    stream.on('drain', this.#onDrain)
    stream.on('error', ignore)
  }

  get isUsable(): boolean {
    return this.#receiver === null && !this.socket.destroyed && this.socket.writable
  }

  /** Begins a request whose bytes are written with `write`. */
  begin(receiver: ResponseReceiver): void {
    this.uses += 1
    this.#receiver = receiver
    this.#step = 'head'
    this.#response = null
    this.#isRequestSent = false
    this.#hadBytes = false
    this.#heads = 0
  }

  /** False: wait for `onUpstreamDrain`. */
  write(data: Buffer | string): boolean {
    return typeof data === 'string' ? this.socket.write(data, 'latin1') : this.socket.write(data)
  }

  /** The request was sent whole. */
  endRequest(): void {
    this.#isRequestSent = true
  }

  get isRequestSent(): boolean {
    return this.#isRequestSent
  }

  pause(): void {
    this.socket.pause()
  }

  resume(): void {
    this.socket.resume()
  }

  /** Ends it at once; its receiver hears nothing of that. */
  destroy(): void {
    this.#receiver = null
    this.socket.destroy()
  }

  readonly #onDrain = (): void => {
    this.#receiver?.onUpstreamDrain()
  }

  readonly #onEnd = (): void => {
    const receiver = this.#receiver
    this.#receiver = null
    this.#onClose(this)
    this.socket.destroy()
    if (receiver === null) return
    if (this.#step === 'until-close' && !this.socket.errored) {
      receiver.onResponseEnd(none)
      receiver.onResponsePause()
      return
    }
    receiver.onUpstreamFailure({ trouble: this.#trouble, hadBytes: this.#hadBytes })
  }

  readonly #takeRead = (bytes: Buffer): boolean => {
    this.#onData(bytes)
    return true
  }

  readonly #onData = (chunk: Buffer): void => {
    const receiver = this.#receiver
    // Nobody asked: whatever it is, it must not be taken for the answer to what comes next.
    if (receiver === null) return this.destroy()
    this.#hadBytes = true
    let at = 0
    let buffer = chunk
    if (this.#ahead !== null) {
      buffer = Buffer.concat([this.#ahead, chunk])
      this.#ahead = null
    }
    while (at < buffer.length && this.#receiver === receiver && at !== -1) at = this.#take(receiver, buffer, at)
    if (at === -1) return this.#fail()
    receiver.onResponsePause()
  }

  /** Takes something from a position on, and returns where it ended; -1: it is malformed. */
  #take(receiver: ResponseReceiver, buffer: Buffer, at: number): number {
    if (this.#step === 'head') return this.#takeHead(receiver, buffer, at)
    if (this.#step === 'chunked') {
      const scanner = (this.#scanner ??= new ChunkedScanner())
      const end = scanner.scan(buffer, at, (data) => receiver.onResponseData(data))
      if (end === -1 || !scanner.isDone) return end
      this.#scanner = null
      this.#finish(receiver, buffer.length === end, scanner.trailers)
      return end
    }
    if (this.#step === 'until-close') {
      receiver.onResponseData(at === 0 ? buffer : buffer.subarray(at))
      return buffer.length
    }
    const end = Math.min(buffer.length, at + this.#left)
    this.#left -= end - at
    receiver.onResponseData(at === 0 && end === buffer.length ? buffer : buffer.subarray(at, end))
    if (this.#left === 0) this.#finish(receiver, buffer.length === end, none)
    return end
  }

  #takeHead(receiver: ResponseReceiver, buffer: Buffer, at: number): number {
    const end = buffer.indexOf('\r\n\r\n', at, 'latin1')
    if (end === -1 || end - at > mostHeadBytes) {
      if (buffer.length - at > mostHeadBytes || !mayBeHead(buffer, at)) return -1
      this.#ahead = Buffer.from(buffer.subarray(at))
      return buffer.length
    }
    const head = parseResponseHead(buffer.toString('latin1', at, end), receiver.method)
    if (head === null) return -1
    this.#heads += 1
    const rest = end + 4
    if (head.status === 101) return this.#upgrade(receiver, head, buffer, rest)
    if (head.status < 200) {
      if (this.#heads > mostInformations) {
        this.#trouble = 'undecided'
        return -1
      }
      receiver.onInformation(head)
      return rest
    }
    this.#response = head
    receiver.onResponse(head)
    if (this.#receiver !== receiver) return rest
    this.#left = head.bodyLength
    if (head.bodyLength === 0) this.#finish(receiver, buffer.length === rest, none)
    else
      this.#step = head.bodyLength === chunked ? 'chunked' : head.bodyLength === untilClose ? 'until-close' : 'length'
    return rest
  }

  #upgrade(receiver: ResponseReceiver, head: ResponseHead, buffer: Buffer, rest: number): number {
    this.#receiver = null
    const { socket } = this
    socket.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd).off('drain', this.#onDrain)
    if (this.#reader !== null) this.#reader.take = (bytes) => socket.push(Buffer.from(bytes))
    this.#onClose(this)
    receiver.onUpgrade(head, socket, rest === buffer.length ? nothing : Buffer.from(buffer.subarray(rest)))
    return buffer.length
  }

  #finish(receiver: ResponseReceiver, isClean: boolean, trailers: readonly string[]): void {
    const response = this.#response
    this.#receiver = null
    if (isClean && this.#isRequestSent && !this.isLast && response !== null && response.keepAlive) {
      this.idleSince = performance.now()
      if (response.keepAliveMs !== null) this.idleLimitMs = response.keepAliveMs
      this.#onIdle(this)
    } else {
      this.#onClose(this)
      this.socket.destroy()
    }
    receiver.onResponseEnd(trailers)
  }

  #fail(): void {
    if (this.#trouble === 'ended') this.#trouble = 'malformed'
    if (this.uses > 1 && this.#heads === 0) this.#hadBytes = false
    this.#onEnd()
  }
}

/** What else begins to answer would be waited for in vain. */
function mayBeHead(buffer: Buffer, at: number): boolean {
  return 'HTTP/1.'.startsWith(buffer.toString('latin1', at, Math.min(at + 7, buffer.length)))
}

/** `close` follows every error, and says all that is of use. */
function ignore(): void {}
