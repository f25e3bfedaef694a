// Writes input to a service that may be slow to read it.
import { closeSync, writeSync } from 'node:fs'
import { isErrno } from '../lib/errno.ts'

/** Bytes that wait at most. */
const mostWaiting = 1024 * 1024
const retryMs = 20

/**
 * Owns a descriptor that does not block. Node's own terminal stream cannot be used for writing: it waits for the reader
 * and holds up the whole process.
 */
export class InputQueue {
  readonly #fd: number
  #waiting: Buffer[] = []
  #waitingBytes = 0
  #timer: NodeJS.Timeout | null = null
  #isClosed = false

  constructor(fd: number) {
    this.#fd = fd
  }

  /** False when too much is waiting already or nobody can read it any more; nothing of `bytes` is written then. */
  write(bytes: Buffer): boolean {
    if (this.#isClosed || this.#waitingBytes + bytes.length > mostWaiting) return false
    this.#waiting.push(bytes)
    this.#waitingBytes += bytes.length
    if (this.#timer === null) this.#flush()
    return !this.#isClosed
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#waiting = []
    closeSync(this.#fd)
  }

  #flush(): void {
    this.#timer = null
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      const written = this.#writeSome(next)
      if (this.#isClosed) return
      this.#waitingBytes -= written
      if (written === next.length) this.#waiting.shift()
      else this.#waiting[0] = next.subarray(written)
      if (written === 0) {
        this.#timer = setTimeout(() => this.#flush(), retryMs)
        return
      }
    }
  }

  #writeSome(bytes: Buffer): number {
    try {
      return writeSync(this.#fd, bytes)
    } catch (error) {
      if (isErrno(error, 'EAGAIN')) return 0
      this.close() // EPIPE, EIO: the reader is gone
      return 0
    }
  }
}
