// Decides when a line that is not complete is shown all the same.
import type { FrameStream } from '../lib/segment-format.ts'
import type { LinePart } from './line-assembler.ts'

/** After this time of silence of its stream… */
const idleMs = 100
/** …and at the latest after this time, so that a progress display which never rests is seen to move. */
const longestMs = 1000

interface Waiting {
  readonly part: LinePart
  readonly since: number
  readonly grown: number
}

/** The times of the parts of one source. Times are those of a clock that only goes forward, in milliseconds. */
export class PartTimes {
  #waiting = new Map<FrameStream, Waiting>()

  /** Takes note of the parts there are now. */
  note(parts: readonly LinePart[], now: number): void {
    this.#waiting = new Map(
      parts.map((part) => {
        const before = this.#waiting.get(part.stream)
        const same = before !== undefined && before.part.line === part.line
        const grown = same && before.part.chunk === part.chunk ? before.grown : now
        return [part.stream, { part, since: same ? before.since : now, grown }]
      }),
    )
  }

  /** When the next of them is due; Infinity when none is waiting. */
  get dueAt(): number {
    return Math.min(...[...this.#waiting.values()].map(dueAt))
  }

  /** The streams whose part is due; they wait no longer. */
  takeDue(now: number): ReadonlySet<FrameStream> {
    const due = [...this.#waiting.values()].filter((waiting) => dueAt(waiting) <= now).map(({ part }) => part.stream)
    for (const stream of due) this.#waiting.delete(stream)
    return new Set(due)
  }
}

function dueAt({ since, grown }: Waiting): number {
  return Math.min(grown + idleMs, since + longestMs)
}
