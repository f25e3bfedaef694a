// One instance of a service as the proxy uses it: its connections, and how many requests it has in hand.
import type { UpstreamPool } from './upstream-pool.ts'

export class InstanceLoad {
  readonly instance: number
  readonly port: number
  readonly pool: UpstreamPool
  /** Requests under way, without WebSockets and event streams. */
  open = 0
  isDraining = false
  readonly #onEmpty = new Set<() => void>()

  constructor(instance: number, port: number, pool: UpstreamPool) {
    this.instance = instance
    this.port = port
    this.pool = pool
  }

  enter(): void {
    this.open += 1
  }

  leave(): void {
    this.open -= 1
    if (this.open > 0) return
    for (const tell of this.#onEmpty) tell()
  }

  /** New requests go elsewhere. Calls `done` once with what is still under way when nothing is, or the time is up. */
  drain(timeoutMs: number, done: (open: number) => void): void {
    this.isDraining = true
    this.pool.closeIdle()
    if (this.open === 0) return done(0)
    const end = (): void => {
      clearTimeout(timer)
      this.#onEmpty.delete(end)
      done(this.open)
    }
    const timer = setTimeout(end, timeoutMs)
    this.#onEmpty.add(end)
  }
}
