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
  watched: string | null
  monitor: HealthMonitor | null
  /** What its files are watched for. */
  filesFor: string | null
  files: Disposable | null
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

  /** Watches by this key (a run, and how) instead of any other; null: not at all. */
  watch(id: string, wanted: { readonly key: string; readonly start: () => HealthMonitor } | null): void {
    const attendant = this.#of(id)
    if (attendant.watched === (wanted?.key ?? null)) return
    attendant.monitor?.[Symbol.dispose]()
    attendant.monitor = null
    attendant.watched = wanted?.key ?? null
    if (wanted !== null) attendant.monitor = wanted.start()
  }

  /** Watches files for this key instead of any other; null: none. */
  watchFiles(id: string, key: string | null, start: () => Disposable): void {
    const attendant = this.#of(id)
    if (attendant.filesFor === key) return
    attendant.files?.[Symbol.dispose]()
    attendant.filesFor = key
    attendant.files = key === null ? null : start()
  }

  monitorOf(id: string): HealthMonitor | null {
    return this.#all.get(id)?.monitor ?? null
  }

  forget(id: string): void {
    const attendant = this.#all.get(id)
    this.#all.delete(id)
    if (attendant === undefined) return
    attendant.cancelTimer?.()
    attendant.monitor?.[Symbol.dispose]()
    attendant.files?.[Symbol.dispose]()
    attendant.watched = null
    attendant.monitor = null
    attendant.filesFor = null
    attendant.files = null
  }

  [Symbol.dispose](): void {
    for (const id of this.#all.keys()) this.forget(id)
  }

  #of(id: string): Attendant {
    const existing = this.#all.get(id)
    if (existing !== undefined) return existing
    const created: Attendant = {
      timerAt: null,
      cancelTimer: null,
      watched: null,
      monitor: null,
      filesFor: null,
      files: null,
    }
    this.#all.set(id, created)
    return created
  }
}
