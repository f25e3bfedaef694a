// The terminal of a container: what it shows as it is written, a way to type, and its size. The engine's log, from which output is
// recorded, tells whole lines only: a prompt would not show.
import { randomUUID } from 'node:crypto'
import { Duplex } from 'node:stream'
import type { Container } from 'dockerode'

/** Kept for who comes later, or is slow: a few screenfuls, also of a program that paints them. */
const keptBytes = 256 * 1024
/** Nobody's keys wait here for ever. */
const mostWaiting = 1024 * 1024
/** The engine lets go of the connection at keys of its own; whoever is attached has others. It takes no "none", so: unlikely ones. */
const detachKeys = Array<string>(8).fill('ctrl-^').join(',')

/** What was written from some place on, as far as it is still there. */
export interface TerminalPiece {
  readonly bytes: Buffer
  /** Where the next piece begins. */
  readonly end: number
  /** So many bytes before `bytes` are gone. */
  readonly missing: number
}

export class ContainerTerminal implements Disposable {
  readonly id = randomUUID()
  /** Milliseconds since the epoch: what was written before, it does not have. */
  readonly openedAt: number
  /** Resolves when nothing more will come. */
  readonly ended: Promise<void>
  readonly #container: Container
  readonly #stream: Duplex
  readonly #waiting = new Set<() => void>()
  #chunks: Buffer[] = []
  /** Where `#chunks` begin, in bytes since this was opened. */
  #start = 0
  #end = 0
  #isOver = false

  private constructor(container: Container, stream: Duplex, openedAt: number) {
    this.#container = container
    this.#stream = stream
    this.openedAt = openedAt
    stream.on('data', (bytes: Buffer) => this.#take(bytes))
    this.ended = new Promise((resolve) => {
      const end = (): void => {
        this.#isOver = true
        this.#wake()
        resolve()
      }
      stream.once('end', end).once('close', end).on('error', end)
    })
  }

  /** Rejects when the engine refuses. Before the container is started: then it misses nothing. */
  static async open(container: Container): Promise<ContainerTerminal> {
    const streams = { stream: true, stdin: true, stdout: true, stderr: true }
    const stream = await container.attach({ ...streams, hijack: true, detachKeys })
    if (!(stream instanceof Duplex)) throw new Error('The engine did not give a connection in both directions')
    return new ContainerTerminal(container, stream, Date.now())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Bytes since this was opened. */
  get end(): number {
    return this.#end
  }

  read(from: number): TerminalPiece {
    const pieces: Buffer[] = []
    let at = this.#end
    for (let index = this.#chunks.length - 1; index >= 0 && at > from; index--) {
      const chunk = this.#chunks[index] ?? Buffer.alloc(0)
      at -= chunk.length
      pieces.unshift(at < from ? chunk.subarray(from - at) : chunk)
    }
    return { bytes: Buffer.concat(pieces), end: this.#end, missing: Math.max(0, at - from) }
  }

  /** Resolves when there is more than `from`, or when `signal` aborts; at its end once more, and never after it. */
  async grown(from: number, signal: AbortSignal): Promise<void> {
    if (from < this.#end || signal.aborted) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
    })
  }

  /** False when nobody can read it any more, or too much waits already; nothing is written then. */
  write(bytes: Buffer): boolean {
    if (this.#isOver || this.#stream.writableLength + bytes.length > mostWaiting) return false
    this.#stream.write(bytes)
    return true
  }

  /** Rejects when the engine refuses, as it does when the container has just ended. */
  async resize({ cols, rows }: { readonly cols: number; readonly rows: number }): Promise<void> {
    await this.#container.resize({ w: cols, h: rows })
  }

  [Symbol.dispose](): void {
    this.#stream.destroy()
  }

  #take(bytes: Buffer): void {
    this.#chunks.push(bytes)
    this.#end += bytes.length
    for (let first = this.#chunks[0]; first !== undefined; first = this.#chunks[0]) {
      if (this.#end - this.#start - first.length < keptBytes) break
      this.#chunks.shift()
      this.#start += first.length
    }
    this.#wake()
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }
}
