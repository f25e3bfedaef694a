// All connections of clients: bounded in number, and ended when their time is up.
import { mostConnections, patienceMs } from './limits.ts'
import type { ClientTimes } from './limits.ts'

/** A connection that can be told that its time is up. */
export interface ClientConnection {
  /** By `performance.now()`; Infinity: as long as it likes. */
  readonly deadline: number
  /** Nothing is under way: it is closed first when there are too many. */
  readonly isIdle: boolean
  /**
   * Since when it has sent nothing of what it is waited for, or taken nothing of what waits for it, as far as anything is
   * under way; by `performance.now()`. Infinity: it is not its turn.
   */
  readonly stalledSince: number
  /** Looks whether it has gone on since the last time, and ends it, or what has stalled on it, when that was too long ago. */
  look(now: number): void
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

  /** Makes room by closing one that is idle, or has stalled; false: there is none, and no room. */
  add(connection: ClientConnection): boolean {
    if (this.#connections.size >= mostConnections && !this.#makeRoom()) return false
    this.#connections.add(connection)
    return true
  }

  delete(connection: ClientConnection): void {
    this.#connections.delete(connection)
  }

  /** Ends those whose time is up. */
  sweep(now: number): void {
    for (const connection of this.#connections) {
      connection.look(now)
      if (connection.deadline <= now) connection.onDeadline()
    }
  }

  closeAll(): void {
    for (const connection of this.#connections) connection.destroy()
  }

  #makeRoom(): boolean {
    const least = this.#oldestIdle() ?? this.#longestStalled(performance.now() - patienceMs)
    if (least === null) return false
    this.#connections.delete(least)
    least.destroy()
    return true
  }

  #oldestIdle(): ClientConnection | null {
    for (const connection of this.#connections) if (connection.isIdle) return connection
    return null
  }

  /** Of those that have stalled since then, or longer. */
  #longestStalled(since: number): ClientConnection | null {
    let [found, foundSince]: [ClientConnection | null, number] = [null, since]
    for (const connection of this.#connections) {
      const { stalledSince } = connection
      if (stalledSince < foundSince) [found, foundSince] = [connection, stalledSince]
    }
    return found
  }
}
