// The connections to one instance of a service: those that wait for a request, and how to get another.
import { mostIdleUpstreams, upstreamIdleMs } from './limits.ts'
import { UpstreamConnection } from './upstream-connection.ts'
import type { UpstreamSocket } from './upstream-connection.ts'

/** Connects, and says with what, or null: nothing accepts it. What it returns gives it up; then nothing is said. */
export type Dial = (done: (socket: UpstreamSocket | null) => void) => () => void

export class UpstreamPool {
  readonly #dial: Dial
  /** The one that was used last is used next: those that are not needed grow old. */
  readonly #idle: UpstreamConnection[] = []
  #isClosed = false

  constructor(dial: Dial) {
    this.#dial = dial
  }

  /** No connection waits for a request. */
  get isEmpty(): boolean {
    return this.#idle.length === 0
  }

  /** A connection that has been used before, or null. */
  take(): UpstreamConnection | null {
    for (let connection = this.#idle.pop(); connection !== undefined; connection = this.#idle.pop()) {
      if (connection.isUsable && !isOld(connection, performance.now())) return connection
      connection.destroy()
    }
    return null
  }

  /** A new connection, or null: nothing accepts any. Returns what gives it up. */
  connect(done: (connection: UpstreamConnection | null) => void): () => void {
    return this.#dial((socket) => {
      done(socket === null ? null : new UpstreamConnection(socket, this.#onIdle, this.#onClose))
    })
  }

  /** Closes what has been idle for too long. */
  sweep(now: number): void {
    while (this.#idle[0] !== undefined && isOld(this.#idle[0], now)) this.#idle.shift()?.destroy()
  }

  closeIdle(): void {
    for (const connection of this.#idle.splice(0)) connection.destroy()
  }

  /** Closes what is idle now; what is in use is closed when it becomes idle. */
  close(): void {
    this.#isClosed = true
    this.closeIdle()
  }

  readonly #onIdle = (connection: UpstreamConnection): void => {
    if (this.#isClosed || this.#idle.length >= mostIdleUpstreams) connection.destroy()
    else this.#idle.push(connection)
  }

  readonly #onClose = (connection: UpstreamConnection): void => {
    const index = this.#idle.indexOf(connection)
    if (index !== -1) this.#idle.splice(index, 1)
  }
}

/** A service closes connections when it likes: those that it is about to close are not used. */
function isOld({ idleSince, idleLimitMs }: UpstreamConnection, now: number): boolean {
  const limitMs = Math.min(upstreamIdleMs, idleLimitMs * 0.8)
  return now - idleSince >= limitMs
}
