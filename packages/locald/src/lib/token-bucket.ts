// A limit on how often something is done: so many at once, and so many in a second after that.

export interface TokenBucketOptions {
  /** How many may be taken at once after a time of quiet. */
  readonly burst: number
  readonly perSecond: number
  /** Milliseconds since whenever; default a clock that is never set. */
  readonly now?: () => number
}

export class TokenBucket {
  readonly #burst: number
  readonly #perSecond: number
  readonly #now: () => number
  #tokens: number
  #at: number

  /** Full at first. */
  constructor({ burst, perSecond, now = () => performance.now() }: TokenBucketOptions) {
    this.#burst = burst
    this.#perSecond = perSecond
    this.#now = now
    this.#tokens = burst
    this.#at = now()
  }

  /** Takes one; false when there is none. */
  take(): boolean {
    const now = this.#now()
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens -= 1
    return true
  }
}
