// How far the logs have been read: where to go on when the connection breaks, so that no line comes twice or never.
import type { LogLine } from '@locald/protocol'
import type { Query } from './query.ts'

/** Lines between two cursors are few; more than that are not remembered. */
const rememberedLines = 10_000

export class LogPlace {
  readonly #query: Query
  #cursor: string | undefined
  /** Lines after the cursor that the reader has had. */
  readonly #since = new Map<string, number>()

  constructor(query: Query) {
    this.#query = query
  }

  /** What to ask for next. A cursor stands for everything before it: what the first question cut off stays cut off. */
  query(isFollowing: boolean): Query {
    const query = { ...this.#query, follow: isFollowing ? 1 : undefined }
    return this.#cursor === undefined ? query : { ...query, tail: undefined, since: undefined, cursor: this.#cursor }
  }

  /** Yields the lines of one connection, without those that an earlier one brought after its last cursor. */
  async *track(batches: AsyncIterable<readonly LogLine[]>): AsyncGenerator<readonly LogLine[]> {
    const had = new Map(this.#since)
    for await (const batch of batches) {
      const wanted = had.size === 0 ? batch : batch.filter((line) => !takeOne(had, keyOf(line)))
      const last = batch.findLastIndex(({ cursor }) => cursor !== undefined)
      if (last !== -1) {
        this.#cursor = batch[last]?.cursor
        this.#since.clear()
      }
      for (const line of last === -1 ? wanted : batch.slice(last + 1)) this.#remember(keyOf(line))
      if (wanted.length > 0) yield wanted
    }
  }

  #remember(key: string): void {
    if (this.#since.size < rememberedLines) this.#since.set(key, (this.#since.get(key) ?? 0) + 1)
  }
}

function keyOf({ service, run, at, stream, text }: LogLine): string {
  return `${service} ${run} ${at} ${stream} ${text}`
}

/** False when there is none. */
function takeOne(counts: Map<string, number>, key: string): boolean {
  const count = counts.get(key) ?? 0
  if (count === 1) counts.delete(key)
  else if (count > 1) counts.set(key, count - 1)
  return count > 0
}
