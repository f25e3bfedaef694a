// All connections of clients: bounded in number, and ended when their time is up.
import { mostConnections } from './limits.ts'
import type { ClientTimes } from './limits.ts'

/** A connection that can be told that its time is up. */
export interface ClientConnection {
  /** By `performance.now()`; Infinity: as long as it likes. */
  readonly deadline: number
  /** Nothing is under way: it is closed first when there are too many. */
  readonly isIdle: boolean
  onDeadline(): void
  destroy(): void
}

export class ConnectionRegistry {
  readonly times: ClientTimes
  /** Oldest first. */
  readonly #connections = new Set<ClientConnection>()

  constructor(times: ClientTimes) {
    this.times = times
  }

  get isEmpty(): boolean {
    return this.#connections.size === 0
  }

  /** Makes room by closing one that is idle; false: there is none, and no room. */
  add(connection: ClientConnection): boolean {
    if (this.#connections.size >= mostConnections && !this.#closeIdle()) return false
    this.#connections.add(connection)
    return true
  }

  delete(connection: ClientConnection): void {
    this.#connections.delete(connection)
  }

  /** Ends those whose time is up. */
  sweep(now: number): void {
    for (const connection of this.#connections) if (connection.deadline <= now) connection.onDeadline()
  }

  closeAll(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #closeIdle(): boolean {
    for (const connection of this.#connections) {
      if (!connection.isIdle) continue
      this.#connections.delete(connection)
      connection.destroy()
      return true
    }
    return false
  }
}
