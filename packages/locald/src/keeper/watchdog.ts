// Notices when a service that has to send WATCHDOG=1 again and again does not.

export interface WatchdogOptions {
  /** Infinity: until the service asks for one. */
  readonly periodMs: number
  /** Takes in what has arrived but was not looked at yet: a busy keeper is not the service's fault. */
  readonly catchUp: () => void
  readonly onChange: (is: 'missed' | 'resumed', periodMs: number) => void
  /** Milliseconds of a clock that is never set and stands still while the machine sleeps. */
  readonly now: () => number
  readonly after: (ms: number, task: () => void) => () => void
}

/** Silent until it is armed. Tells each miss once, and the first sign of life after it. */
export class Watchdog {
  readonly #options: WatchdogOptions
  #periodMs: number
  #seenAt = 0
  #state: 'off' | 'counting' | 'missed' | 'stopped' = 'off'
  #cancelTimer: (() => void) | null = null

  constructor(options: WatchdogOptions) {
    this.#options = options
    this.#periodMs = options.periodMs
  }

  /** Begins to count, if it has not begun. */
  arm(): void {
    if (this.#state !== 'off') return
    this.#state = 'counting'
    this.#seenAt = this.#options.now()
    this.#wait(this.#periodMs)
  }

  /** A sign of life. */
  ping(): void {
    this.#seenAt = this.#options.now()
    if (this.#state !== 'missed') return
    this.#state = 'counting'
    this.#options.onChange('resumed', this.#periodMs)
    this.#wait(this.#periodMs)
  }

  /** The service says by itself that it has failed; nothing that it says later counts. */
  trigger(): void {
    if (this.#state === 'counting' || this.#state === 'off') this.#miss()
    this.stop()
  }

  /** The service asks for another period, which counts from now. */
  setPeriod(periodMs: number): void {
    this.#periodMs = periodMs
    this.#seenAt = this.#options.now()
    if (this.#state === 'counting') this.#wait(periodMs)
  }

  /** For good: it is being ended. */
  stop(): void {
    this.#state = 'stopped'
    this.#stopTimer()
  }

  #wait(ms: number): void {
    this.#stopTimer()
    if (Number.isFinite(ms)) this.#cancelTimer = this.#options.after(ms, () => this.#look())
  }

  #look(): void {
    if (this.#left() <= 0) this.#options.catchUp()
    if (this.#state !== 'counting') return
    const left = this.#left()
    if (left > 0) this.#wait(left)
    else this.#miss()
  }

  #left(): number {
    return this.#seenAt + this.#periodMs - this.#options.now()
  }

  #miss(): void {
    this.#state = 'missed'
    this.#stopTimer()
    this.#options.onChange('missed', this.#periodMs)
  }

  #stopTimer(): void {
    this.#cancelTimer?.()
    this.#cancelTimer = null
  }
}
