// Reads what a service writes until the very last byte.
import { closeSync } from 'node:fs'
import { Socket } from 'node:net'
import { ReadStream } from 'node:tty'
import { duplicate, readAvailable } from '../lib/native.ts'
import type { OnReadOpts, SocketConstructorOpts } from 'node:net'

// Shared by all: the stream fills it and hands it on before anything else can run.
const buffer = Buffer.allocUnsafeSlow(64 * 1024)

/** A read that gives less has emptied the pipe or the terminal; a terminal gives at most 4095 bytes at a time. */
const largeRead = 2048

/** Then it is the turn of other services. */
const mostAtOnce = 64 * 1024

/** More than a pipe or a terminal can hold; whoever writes on while being drained does not keep the drain going. */
const mostDrained = 1024 * 1024

/**
 * Owns the reading end of a pipe or the master of a terminal. Node's stream is used for waiting. What is there can be read at
 * once, and after the stream has ended, through a second descriptor.
 */
export class OutputReader {
  readonly #onBytes: (bytes: Uint8Array) => boolean
  readonly #stream: Socket
  readonly #kept: number
  #isClosed = false

  /** `onBytes` must be done with the bytes when it returns; false asks for a pause until `resume`. */
  constructor(fd: number, kind: 'pty' | 'pipe', onBytes: (bytes: Uint8Array) => boolean) {
    this.#onBytes = onBytes
    this.#kept = duplicate(fd)
    const onread = {
      buffer,
      callback: (length: number) => this.#take(length),
    }
    this.#stream = open(kind, { fd, readable: true, writable: false, onread })
    this.#stream.on('error', () => {}) // 'close' follows every error
    this.#stream.on('close', () => this.drain())
    this.#stream.resume()
  }

  resume(): void {
    if (!this.#isClosed) this.#stream.resume()
  }

  /** Hands on at once what has been written so far, also during a pause. */
  drain(): void {
    for (let total = 0; !this.#isClosed && total < mostDrained;) {
      const length = readAvailable(this.#kept, buffer)
      if (length <= 0) return // nothing there now, or nothing will come
      total += length
      this.#onBytes(buffer.subarray(0, length))
    }
  }

  /** Hands on what was read, and in one go what is there besides: each wait for more costs as much as several reads. */
  #take(length: number): boolean {
    let hasRoom = this.#onBytes(buffer.subarray(0, length))
    let more = length
    for (let total = length; hasRoom && more >= largeRead && total < mostAtOnce; total += more) {
      more = readAvailable(this.#kept, buffer)
      if (more <= 0) break
      hasRoom = this.#onBytes(buffer.subarray(0, more))
    }
    return hasRoom
  }

  /** What is written later is lost, and a terminal hangs up. */
  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#stream.destroy()
    closeSync(this.#kept)
  }
}

interface SocketOptions extends SocketConstructorOpts {
  readonly fd: number
  /** https://nodejs.org/api/net.html#socketconnectoptions-connectlistener; the types know it for connections alone. */
  readonly onread: OnReadOpts
}

function open(kind: 'pty' | 'pipe', options: SocketOptions): Socket {
  if (kind === 'pipe') return new Socket(options)
  // Passes its options on to the socket that it is.
  const Terminal = ReadStream as new (fd: number, options: SocketOptions) => ReadStream
  return new Terminal(options.fd, options)
}
