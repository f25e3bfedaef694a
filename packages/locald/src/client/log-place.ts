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
  async *track(lines: AsyncIterable<LogLine>): AsyncGenerator<LogLine> {
    const had = new Map(this.#since)
    for await (const line of lines) {
      const key = `${line.service} ${line.run} ${line.at} ${line.stream} ${line.text}`
      const times = had.get(key) ?? 0
      if (times > 0) had.set(key, times - 1)
      if (line.cursor === undefined) {
        if (times === 0 && this.#since.size < rememberedLines) this.#since.set(key, (this.#since.get(key) ?? 0) + 1)
      } else {
        this.#cursor = line.cursor
        this.#since.clear()
      }
      if (times === 0) yield line
    }
  }
}
