// A clock that stands still until it is told otherwise.
import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../clock.ts'

interface Timer {
  readonly at: number
  readonly task: () => void
}

export class FakeClock implements Clock {
  #now = 1_000_000
  readonly #timers = new Set<Timer>()

  now(): number {
    return this.#now
  }

  after(ms: number, task: () => void): Disposable {
    const timer = { at: this.#now + ms, task }
    this.#timers.add(timer)
    return { [Symbol.dispose]: () => void this.#timers.delete(timer) }
  }

  /** How long until the next timer; null when there is none. */
  get nextInMs(): number | null {
    return this.#timers.size === 0 ? null : Math.min(...[...this.#timers].map(({ at }) => at)) - this.#now
  }

  /** Runs every timer of that time in order, and lets each settle. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await turn()
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= until).sort((a, b) => a.at - b.at)[0]
      if (due === undefined) break
      this.#now = due.at
      this.#timers.delete(due)
      due.task()
      await turn()
    }
    this.#now = until
  }
}
