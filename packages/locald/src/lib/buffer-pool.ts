// Large buffers of one size, used again and again: to make and give up hundreds in a second costs more than what they are for.

export interface BufferPoolOptions {
  /** Of each. */
  readonly bytes: number
  /**
   * How many wait to be used again, at most. They are kept for good, which takes less than giving them up: what has grown old
   * is collected late.
   */
  readonly spares: number
}

export class BufferPool {
  readonly bytes: number
  readonly #mostSpares: number
  readonly #spares: Buffer[] = []

  constructor({ bytes, spares }: BufferPoolOptions) {
    this.bytes = bytes
    this.#mostSpares = spares
  }

  /** Holds whatever it held last. */
  take(): Buffer {
    return this.#spares.pop() ?? Buffer.allocUnsafeSlow(this.bytes)
  }

  /** Of which nothing is in use any more; one of another size is left alone. */
  giveBack(buffer: Buffer): void {
    if (buffer.length === this.bytes && this.#spares.length < this.#mostSpares) this.#spares.push(buffer)
  }
}
