// Time as health sees it, so that tests can hold it.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs `task` once after `ms`, unless disposed of before. Does not keep the process alive. */
  after(ms: number, task: () => void): Disposable
}

/**
 * One timer for all that is due in the same millisecond. Timers of Node count from the beginning of the turn that they are made in, so
 * that those of many checks would come one by one: a turn of the event loop for each, with nothing left in the processor's caches.
 */
class SystemClock implements Clock {
  readonly #moments = new Map<number, Moment>()

  now(): number {
    return Date.now()
  }

  after(ms: number, task: () => void): Disposable {
    const at = Math.round(Date.now() + ms)
    const moment = this.#moments.get(at) ?? this.#open(at, ms)
    const once = (): void => task()
    moment.tasks.add(once)
    return {
      [Symbol.dispose]: () => {
        moment.tasks.delete(once)
        if (moment.tasks.size === 0) this.#close(at, moment)
      },
    }
  }

  #open(at: number, ms: number): Moment {
    const timer = setTimeout(() => {
      this.#close(at, moment)
      for (const task of moment.tasks) task()
    }, ms).unref()
    const moment = { tasks: new Set<() => void>(), timer }
    this.#moments.set(at, moment)
    return moment
  }

  #close(at: number, moment: Moment): void {
    clearTimeout(moment.timer)
    if (this.#moments.get(at) === moment) this.#moments.delete(at)
  }
}

interface Moment {
  readonly tasks: Set<() => void>
  readonly timer: NodeJS.Timeout
}

export const systemClock: Clock = new SystemClock()
