// How many streams a client may reset before its connection is replaced by a fresh one.

/** nghttp2 ends a session after a burst of 1,000 resets that refills by 33 a second: long before that, it is closed in order. */
const burst = 600
const perSecond = 30

export class ResetBudget {
  #tokens = burst
  #at = 0

  /** One reset more, at that time in milliseconds. False: it was one too many. */
  take(now: number): boolean {
    if (this.#at !== 0) this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * perSecond)
    this.#at = now
    this.#tokens -= 1
    return this.#tokens >= 0
  }
}
