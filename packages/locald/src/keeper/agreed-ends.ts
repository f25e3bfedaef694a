// Ends runs as was agreed when they were started, for when there is no daemon that says how: those that others need come last.
import type { RecoveryEnd } from './protocol.ts'

/** A run, as far as its end goes. */
export interface Endable {
  readonly order: { readonly recovery?: RecoveryEnd }
  readonly isEmptied: boolean
  /** Begins to end it with its own signal, scope and time-out. */
  endAsAgreed(): void
}

export class AgreedEnds {
  readonly #runs = new Set<Endable>()
  readonly #begun = new Set<Endable>()

  /** Ends these; returns at once. */
  add(runs: Iterable<Endable>): void {
    for (const run of runs) this.#runs.add(run)
    this.advance()
  }

  /** Ends those whose turn has come. Call it when a run was emptied. */
  advance(): void {
    for (const run of this.#runs) if (run.isEmptied) this.#forget(run)
    const deepest = this.#deepest()
    for (const run of this.#runs) {
      const { of, depth } = orderOf(run)
      if (this.#begun.has(run) || depth < (deepest.get(of) ?? depth)) continue
      this.#begun.add(run)
      run.endAsAgreed()
    }
  }

  #forget(run: Endable): void {
    this.#runs.delete(run)
    this.#begun.delete(run)
  }

  /** Of each whole, how deep what is left of it goes. */
  #deepest(): ReadonlyMap<string | null, number> {
    const deepest = new Map<string | null, number>()
    for (const run of this.#runs) {
      const { of, depth } = orderOf(run)
      deepest.set(of, Math.max(depth, deepest.get(of) ?? 0))
    }
    return deepest
  }
}

/** Those of which nothing was said end at once. */
function orderOf({ order: { recovery } }: Endable): { readonly of: string | null; readonly depth: number } {
  return recovery?.order ?? { of: null, depth: 0 }
}
