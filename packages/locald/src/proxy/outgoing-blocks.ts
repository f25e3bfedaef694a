// Collects the large pieces of an answer while an earlier one is still being sent: few large writes take much less than many
// small ones, most of all when they are encrypted. Nothing of it is made anew: blocks are used again and again.
import type { Writable } from 'node:stream'
import { BufferPool } from '../lib/buffer-pool.ts'
import { fewUnsentBytes, mostUnsentBytes, mostUnsentInAllBytes, readBytes } from './limits.ts'

const pool = new BufferPool({ bytes: readBytes, spares: 12 })
/** Bytes kept for clients, of all answers together: whole blocks, and what is sent without one. */
let kept = 0

export function keptBytes(): number {
  return kept
}

/** Clients who take nothing keep so much that nobody may have much more. */
export function isMuchUnsent(): boolean {
  return kept > mostUnsentInAllBytes
}

function takeBlock(atLeast: number): Buffer {
  const block = atLeast > pool.bytes || isMuchUnsent() ? Buffer.allocUnsafeSlow(atLeast) : pool.take()
  kept += block.length
  return block
}

function giveBack(block: Buffer): void {
  kept -= block.length
  pool.giveBack(block)
}

/** The way of one answer after the other into a stream. */
export class OutgoingBlocks {
  readonly #stream: Writable
  readonly #onRoom: () => void
  #block: Buffer | null = null
  #used = 0
  #underWay = 0
  #moves = 0
  #isFull = false

  /** `onRoom`: there is room again, after `hasRoom` has said that there is none. */
  constructor(stream: Writable, onRoom: () => void) {
    this.#stream = stream
    this.#onRoom = onRoom
    stream.on('drain', this.#onSent)
    stream.once('close', () => this.#discard())
  }

  /** Whether everything was given to the stream. */
  get isEmpty(): boolean {
    return this.#block === null
  }

  /** Bytes that wait for whoever reads the stream. */
  get waiting(): number {
    return this.#stream.writableLength + this.#used
  }

  /** How often some of them were taken so far. */
  get moves(): number {
    return this.#moves
  }

  /** False: too much waits for whoever reads the stream. */
  hasRoom(): boolean {
    this.#isFull = this.waiting >= (isMuchUnsent() ? fewUnsentBytes : mostUnsentBytes)
    return !this.#isFull
  }

  /** Copies. */
  add(data: Buffer): void {
    const block = this.#roomFor(data.length)
    data.copy(block, this.#used)
    this.#used += data.length
  }

  addText(text: string): void {
    const block = this.#roomFor(text.length)
    this.#used += block.write(text, this.#used, 'latin1')
  }

  /** Gives it to the stream unless that is busy with what came before, after which it will be. */
  send(): void {
    if (this.#underWay === 0) this.flush()
  }

  /** Gives it to the stream now, whatever that is busy with: what is written to the stream next follows it. */
  flush(): void {
    const block = this.#block
    if (block === null) return
    const data = block.subarray(0, this.#used)
    this.#block = null
    this.#used = 0
    this.#write(data, () => giveBack(block))
  }

  /** The same, and nothing follows. */
  end(): void {
    this.flush()
    this.#stream.end()
  }

  /** Sends this without a copy, only when nothing is collected: of memory of its own, or what is read before this returns. */
  pass(data: Buffer): void {
    const { length } = data
    kept += length
    this.#write(data, () => (kept -= length))
  }

  /** `onDone`: what it takes may be used again, also when it could not be sent. */
  #write(data: Buffer, onDone: () => void): void {
    this.#underWay += 1
    this.#stream.write(data, () => {
      onDone()
      this.#underWay -= 1
      this.send()
      this.#onSent()
    })
  }

  #discard(): void {
    if (this.#block !== null) giveBack(this.#block)
    this.#block = null
    this.#used = 0
  }

  readonly #onSent = (): void => {
    this.#moves += 1
    if (this.#isFull && this.hasRoom()) this.#onRoom()
  }

  #roomFor(bytes: number): Buffer {
    if (this.#block !== null && this.#block.length - this.#used < bytes) this.flush()
    return (this.#block ??= takeBlock(bytes))
  }
}
