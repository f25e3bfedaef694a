// Notices when nothing has run and nobody has asked anything for a long time.

const idleMs = 30 * 60_000

export interface IdleTimerOptions {
  readonly isBusy: () => boolean
  readonly onIdle: () => void
  /** Default 30 minutes. */
  readonly idleMs?: number
}

export class IdleTimer {
  readonly #options: IdleTimerOptions
  #timer: NodeJS.Timeout | undefined
  #usedAt = Date.now()
  #underWay = 0

  constructor(options: IdleTimerOptions) {
    this.#options = options
    this.#arm(this.#idleMs)
  }

  /** Counts as use from its beginning to its end. */
  async during<T>(work: T | Promise<T>): Promise<T> {
    this.#underWay += 1
    try {
      return await work
    } finally {
      this.#underWay -= 1
      this.#usedAt = Date.now()
    }
  }

  get #idleMs(): number {
    return this.#options.idleMs ?? idleMs
  }

  #arm(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      if (this.#underWay > 0 || this.#options.isBusy()) this.#usedAt = Date.now()
      const left = this.#usedAt + this.#idleMs - Date.now()
      if (left > 0) this.#arm(left)
      else this.#options.onIdle()
    }, ms)
    this.#timer.unref()
  }
}
