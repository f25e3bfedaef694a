// Since when a client has taken nothing of what waits for it.

export class UntakenBytes {
  /** By `performance.now()`; Infinity: nothing waits, or it takes some now and then. */
  since = Infinity
  #waiting = 0
  #moves = 0

  /** To be told again and again: how many bytes wait, and how often some were taken so far. */
  look(waiting: number, moves: number, now: number): void {
    if (waiting === 0) this.since = Infinity
    else if (this.since === Infinity || waiting < this.#waiting || moves !== this.#moves) this.since = now
    this.#waiting = waiting
    this.#moves = moves
  }
}
