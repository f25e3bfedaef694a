// Reads what a service writes until the very last byte.
import { closeSync, readSync } from 'node:fs'
import { Socket } from 'node:net'
import { ReadStream } from 'node:tty'
import { duplicate } from '../lib/native.ts'
import type { OnReadOpts, SocketConstructorOpts } from 'node:net'

// Shared by all: the stream fills it and hands it on before anything else can run.
const buffer = Buffer.allocUnsafeSlow(64 * 1024)

/** More than a pipe or a terminal can hold; whoever writes on while being drained does not keep the drain going. */
const mostDrained = 1024 * 1024

/**
 * Owns the reading end of a pipe or the master of a terminal. Node's stream is used for waiting; a second descriptor
 * outlives it, because at a terminal's hang-up the stream stops at the first short read with more still to come.
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
      callback: (length: number) => onBytes(buffer.subarray(0, length)),
    }
    this.#stream = open(kind, { fd, readable: true, writable: false, onread })
    this.#stream.on('error', () => {}) // EIO is how a terminal ends; 'close' follows every error
    this.#stream.on('close', () => this.drain())
    this.#stream.resume()
  }

  resume(): void {
    if (!this.#isClosed) this.#stream.resume()
  }

  /** Hands on at once what has been written so far, also during a pause. */
  drain(): void {
    let total = 0
    while (!this.#isClosed && total < mostDrained) {
      const length = readSome(this.#kept)
      if (length <= 0) return
      total += length
      this.#onBytes(buffer.subarray(0, length))
    }
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

function readSome(fd: number): number {
  try {
    return readSync(fd, buffer, 0, buffer.length, null)
  } catch {
    return 0 // EAGAIN: nothing there now; EIO: nothing will come
  }
}
