// Two streams of which each reads what is written to the other: both ends of a connection within a process.
import { Duplex } from 'node:stream'

class DuplexEnd extends Duplex {
  #other: DuplexEnd | null = null
  /** Of a write that the other end has not taken yet. */
  #taken: (() => void) | null = null

  join(other: DuplexEnd): void {
    this.#other = other
  }

  override _read(): void {
    const other = this.#other
    if (other === null) return
    const taken = other.#taken
    other.#taken = null
    taken?.()
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    const other = this.#other
    if (other === null || other.destroyed) return done()
    if (other.push(chunk)) done()
    else this.#taken = done
  }

  override _final(done: () => void): void {
    this.#other?.push(null)
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    const other = this.#other
    this.#other = null
    this.#taken?.()
    this.#taken = null
    // As when a connection breaks; what the other end has been sent already, it may still read.
    if (other !== null && !other.destroyed && !other.readableEnded) other.push(null)
    done(error)
    if (other !== null && !other.writableFinished) process.nextTick(() => other.destroy())
  }
}

export function duplexPair(): readonly [Duplex, Duplex] {
  const [one, other] = [new DuplexEnd(), new DuplexEnd()]
  one.join(other)
  other.join(one)
  return [one, other]
}
