// The facts that no daemon has acknowledged yet.
import type { Fact } from './protocol.ts'

type FactBody = Fact extends infer F ? (F extends Fact ? Omit<F, 'seq' | 'at' | 'run'> : never) : never

/**
 * Numbers facts and keeps them until they are acknowledged. Begins at the time, in microseconds, so that what a daemon has
 * acknowledged to an earlier keeper is below everything that this one tells.
 */
export class FactLog {
  #last = Date.now() * 1000
  #kept: Fact[] = []

  /** `at` is when it happened, milliseconds since the epoch. Default: now. */
  add(run: string, body: FactBody, at: number = Date.now()): Fact {
    const fact: Fact = { seq: ++this.#last, at, run, ...body }
    this.#kept.push(fact)
    return fact
  }

  /** Drops the facts up to and including `seq`; returns them. */
  acknowledge(seq: number): readonly Fact[] {
    const done = this.#kept.filter((fact) => fact.seq <= seq)
    this.#kept = this.#kept.filter((fact) => fact.seq > seq)
    return done
  }

  get unacknowledged(): readonly Fact[] {
    return this.#kept
  }
}

export type { FactBody }
