// What follows from the state of an instance and is not stored: its timer and the monitor of its health. A new daemon builds
// them again from the states alone.
import type { HealthMonitor } from '../health/monitor.ts'

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back once that time has come, not before; returns how to cancel it. */
  at(time: number, callback: () => void): () => void
}

interface Attendant {
  timerAt: number | null
  cancelTimer: (() => void) | null
  /** The run that is watched, also while its monitor is still being set up. */
  watched: string | null
  monitor: HealthMonitor | null
}

/** One attendant for each instance, made when it is first needed. Disposing stops all of them. */
export class Attendants implements Disposable {
  readonly #clock: Clock
  readonly #all = new Map<string, Attendant>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Has `callback` called at that time instead of any time set before; null: not at all. */
  wake(id: string, time: number | null, callback: () => void): void {
    const attendant = this.#of(id)
    if (attendant.timerAt === time) return
    attendant.cancelTimer?.()
    attendant.timerAt = time
    attendant.cancelTimer = null
    if (time === null) return
    attendant.cancelTimer = this.#clock.at(time, () => {
      attendant.timerAt = null
      callback()
    })
  }

  /**
   * Watches this run instead of any other; null: none. `start` makes the monitor, now or later; one that comes when another
   * run is watched already is disposed at once.
   */
  watch(id: string, run: string | null, start: (ready: (make: () => HealthMonitor) => void) => void): void {
    const attendant = this.#of(id)
    if (attendant.watched === run) return
    attendant.monitor?.[Symbol.dispose]()
    attendant.monitor = null
    attendant.watched = run
    if (run === null) return
    start((make) => {
      if (attendant.watched === run && attendant.monitor === null) attendant.monitor = make()
    })
  }

  forget(id: string): void {
    const attendant = this.#all.get(id)
    this.#all.delete(id)
    if (attendant === undefined) return
    attendant.cancelTimer?.()
    attendant.monitor?.[Symbol.dispose]()
    attendant.watched = null
    attendant.monitor = null
  }

  [Symbol.dispose](): void {
    for (const id of this.#all.keys()) this.forget(id)
  }

  #of(id: string): Attendant {
    const existing = this.#all.get(id)
    if (existing !== undefined) return existing
    const created: Attendant = { timerAt: null, cancelTimer: null, watched: null, monitor: null }
    this.#all.set(id, created)
    return created
  }
}
