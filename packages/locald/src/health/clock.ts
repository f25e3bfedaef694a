// Time as health sees it, so that tests can hold it.

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Runs `task` once after `ms`, unless disposed of before. Does not keep the process alive. */
  after(ms: number, task: () => void): Disposable
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms).unref()
    return { [Symbol.dispose]: () => clearTimeout(timer) }
  },
}
