// The facts that no daemon has acknowledged yet.
import type { Fact } from './protocol.ts'

type FactBody = Fact extends infer F ? (F extends Fact ? Omit<F, 'seq' | 'at' | 'run'> : never) : never

/** Numbers facts from 1 and keeps them until they are acknowledged. */
export class FactLog {
  #last = 0
  #kept: Fact[] = []

  add(run: string, body: FactBody): Fact {
    const fact: Fact = { seq: ++this.#last, at: Date.now(), run, ...body }
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
