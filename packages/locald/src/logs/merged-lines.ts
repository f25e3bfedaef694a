// Lines of several instances, merged in the order of time: what was recorded and, if asked to, what is being recorded.
import { decodeCursor, encodeCursor } from './cursor.ts'
import { Growth } from './growth.ts'
import type { AssembledLine } from './line-assembler.ts'
import type { LogFollow, LogQuery, LogSource } from './log-reader.ts'
import { PartTimes } from './part-times.ts'
import { planSources } from './source-range.ts'
import { SourceReader } from './source-reader.ts'

export interface MergeOptions {
  /** Leaves out what locald itself says. Default false. */
  readonly outputOnly?: boolean
}

/** Lines of all sources in the order of time. */
export interface Batch {
  readonly lines: readonly AssembledLine[]
  /** Where to go on after these lines. Valid until the next batch is asked for. */
  readonly cursor: () => string
}

/** Lines of a batch at most. */
const batchLines = 1000
/** A batch that has any lines waits for no more of them after this time. */
const batchMs = 50

/** What was written up to a moment can be read so long after it at the latest. */
const settleMs = 250

/**
 * What `readLogs` gives out, in larger pieces and before it takes the shape of the API. Ends when `follow` does, or with what
 * was written up to `until`.
 */
export async function* mergedLines(
  sources: readonly LogSource[],
  query: LogQuery,
  follow?: LogFollow,
  { outputOnly = false }: MergeOptions = {},
): AsyncGenerator<Batch, void, undefined> {
  const start = query.cursor === undefined ? null : decodeCursor(query.cursor)
  // Listening begins before reading, so that nothing can come in between.
  const growth = follow === undefined ? null : new Growth(follow)
  const isOver = (): boolean => growth?.isOver ?? false
  const readers: SourceReader[] = []
  const cursor = (): string => encodeCursor(new Map(readers.map((reader) => [reader.source.stream, reader.position])))
  try {
    const plans = await planSources(sources, query, start, { following: growth !== null, outputOnly })
    readers.push(...plans.map(({ source, filter, range }) => new SourceReader(source, filter, range)))
    const waiting = growth === null ? null : new Waiting(readers, growth)
    let active: readonly SourceReader[] = readers
    const endsAt = (query.until ?? Infinity) + settleMs
    while (!isOver()) {
      const isLast = Date.now() >= endsAt
      const lines = await readBatch(isLast ? readers : active, isOver)
      if (lines.length > 0) yield { lines, cursor }
      else if (waiting === null || isLast) return
      else active = await waiting.forMore(active, endsAt - Date.now())
    }
  } finally {
    growth?.[Symbol.dispose]()
    for (const reader of readers) await reader[Symbol.asyncDispose]()
  }
}

/** The earliest of the lines that are there; none when there are none for now. */
async function readBatch(readers: readonly SourceReader[], isOver: () => boolean): Promise<AssembledLine[]> {
  const lines: AssembledLine[] = []
  const started = performance.now()
  let left = [...readers]
  while (lines.length < batchLines && !isOver()) {
    for (const reader of left) {
      if (reader.head !== undefined) continue
      if (lines.length > 0 && performance.now() - started > batchMs) return lines
      await reader.fill(isOver)
    }
    left = left.filter(({ head }) => head !== undefined)
    const next = earliest(left)
    if (next === null) break
    takeLines(next, lines)
  }
  return lines
}

interface Next {
  readonly reader: SourceReader
  /** Its lines come first up to this time. */
  readonly until: number
}

function takeLines({ reader, until }: Next, lines: AssembledLine[]): void {
  for (let line = reader.head; line !== undefined && lines.length < batchLines; line = reader.head) {
    if (line.origin.order > until) return
    lines.push(line)
    reader.shift()
  }
}

function earliest(readers: readonly SourceReader[]): Next | null {
  let best: SourceReader | null = null
  let bestOrder = Infinity
  let until = Infinity
  for (const reader of readers) {
    const order = reader.head?.origin.order ?? Infinity
    if (best === null || order < bestOrder) {
      until = Math.min(until, bestOrder)
      best = reader
      bestOrder = order
    } else until = Math.min(until, order)
  }
  return best === null ? null : { reader: best, until }
}

/** Waits for growth, and for lines that are not complete to be due. */
class Waiting {
  readonly #readers: readonly SourceReader[]
  readonly #growth: Growth
  readonly #times: ReadonlyMap<SourceReader, PartTimes>
  readonly #streams: ReadonlySet<string>

  constructor(readers: readonly SourceReader[], growth: Growth) {
    this.#readers = readers
    this.#growth = growth
    this.#times = new Map(readers.map((reader) => [reader, new PartTimes()]))
    this.#streams = new Set(readers.map(({ source }) => source.stream))
  }

  /** The readers that may have lines now; those of `done` had none left. */
  async forMore(done: readonly SourceReader[], mostMs: number): Promise<readonly SourceReader[]> {
    for (const reader of done) this.#times.get(reader)?.note(reader.parts(), performance.now())
    const dueAt = Math.min(...[...this.#times.values()].map((times) => times.dueAt))
    const grown = await this.#growth.wait(this.#streams, Math.min(dueAt - performance.now(), mostMs))
    return this.#readers.filter((reader) => grown.has(reader.source.stream) || this.#giveDueParts(reader))
  }

  /** Whether there were any. Not for what has just grown: read first, the line may be complete now. */
  #giveDueParts(reader: SourceReader): boolean {
    const due = this.#times.get(reader)?.takeDue(performance.now())
    if (due === undefined || due.size === 0) return false
    reader.giveParts((stream) => due.has(stream))
    return true
  }
}
