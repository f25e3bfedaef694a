// What is left of a request's body on a connection of HTTP/1.1.
import { ChunkedScanner } from './chunked-scanner.ts'
import { chunked } from './message-body.ts'
import type { BodyLength } from './message-body.ts'

const none: readonly string[] = []

export class RequestBody {
  #left: number
  readonly #scanner: ChunkedScanner | null

  constructor(length: BodyLength) {
    this.#left = length
    this.#scanner = length === chunked ? new ChunkedScanner() : null
  }

  get isDone(): boolean {
    return this.#scanner === null ? this.#left === 0 : this.#scanner.isDone
  }

  get trailers(): readonly string[] {
    return this.#scanner?.trailers ?? none
  }

  /** Gives what of the buffer is the body's to `take`. Returns where the body or the buffer ended; -1: it is malformed. */
  scan(buffer: Buffer, start: number, take: (data: Buffer) => void): number {
    if (this.#scanner !== null) return this.#scanner.scan(buffer, start, take)
    const end = Math.min(buffer.length, start + this.#left)
    if (end > start) take(buffer.subarray(start, end))
    this.#left -= end - start
    return end
  }
}
