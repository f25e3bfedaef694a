// Reads the lines of one instance that a query asks for, in the order they were completed.
import type { LogLine } from '@locald/protocol'
import { LocaldError } from '@locald/protocol'
import { boundedWork, TookTooLong } from '../lib/bounded-work.ts'
import type { FrameStream } from '../lib/segment-format.ts'
import { FrameReader } from './frame-reader.ts'
import type { Frame } from './frame-reader.ts'
import { LineAssembler, type AssembledLine, type LinePart } from './line-assembler.ts'
import { LineSearch } from './line-search.ts'
import type { LogSource } from './log-reader.ts'
import type { ReadPosition } from './read-position.ts'

/**
 * For searching one window. An expression that tries every way to match a line can take for ever, and nothing else of the daemon
 * goes on meanwhile.
 */
const searchMs = 500

/** Which lines are wanted. */
export interface LineFilter {
  readonly since?: number
  readonly until?: number
  readonly grep?: RegExp
  /** Null: all. */
  readonly run: number | null
  /** Leaves out what locald itself says. */
  readonly outputOnly: boolean
}

export interface SourceRange {
  readonly from: ReadPosition
  /** A frame at or before what `from` needs. */
  readonly startAt: number
  /** Frames from this position on are not read. Absent: as far as there are any. */
  readonly stop?: number
  /** At the end, lines that are not complete are given out, too. */
  readonly partsAtEnd: boolean
  /** Lines up to this `end` are not wanted. */
  readonly skipThrough?: number
}

/** Holds a window of the stream and its lines; reads the next one when asked to. */
export class SourceReader implements AsyncDisposable {
  readonly source: LogSource
  readonly #filter: LineFilter
  readonly #range: SourceRange
  readonly #frames: FrameReader
  readonly #assembler: LineAssembler
  readonly #search: LineSearch | null
  #queue: AssembledLine[] = []
  #taken = 0
  /** What was taken last; the position behind it is made when it is asked for. */
  #last: AssembledLine | null = null
  #position: ReadPosition

  constructor(source: LogSource, filter: LineFilter, range: SourceRange) {
    this.source = source
    this.#filter = filter
    this.#range = range
    this.#position = range.from
    this.#frames = new FrameReader(source.directory, range.startAt, source.unwritten)
    this.#search = filter.grep === undefined ? null : new LineSearch(filter.grep)
    this.#assembler = new LineAssembler({
      from: range.from,
      label: source.label,
      wants: (at, run, stream) => this.#wants(at, run, stream),
      ...(this.#search === null ? {} : { search: this.#search }),
    })
  }

  /** The next line that was read already. */
  get head(): AssembledLine | undefined {
    return this.#queue[this.#taken]
  }

  /** Takes the head off. */
  shift(): void {
    const line = this.head
    if (line === undefined) return
    this.#last = line
    this.#taken++
    if (this.#taken === this.#queue.length) this.#setPosition(this.#assembler.position())
  }

  /** Reads until there is a head; false when there is nothing more for now, or when `isOver` says so. */
  async fill(isOver: () => boolean): Promise<boolean> {
    while (this.head === undefined && !isOver()) {
      const isEnd = !(await this.#readWindow())
      if (isEnd && this.#range.partsAtEnd) this.giveParts()
      if (this.head !== undefined) return true
      this.#setPosition(this.#assembler.position())
      if (isEnd) return false
    }
    return this.head !== undefined
  }

  /** Makes lines of what is there of lines that are not complete. */
  giveParts(isDue?: (stream: FrameStream) => boolean): void {
    this.#enqueue(this.#bounded(() => this.#assembler.giveParts(isDue)))
  }

  parts(): readonly LinePart[] {
    return this.#assembler.parts()
  }

  /** After the last line taken. */
  get position(): ReadPosition {
    if (this.#last !== null) this.#setPosition(this.#last.after())
    return this.#position
  }

  #setPosition(position: ReadPosition): void {
    this.#position = position
    this.#last = null
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#frames[Symbol.asyncDispose]()
  }

  async #readWindow(): Promise<boolean> {
    const { stop = Infinity } = this.#range
    if (this.#assembler.position().position >= stop) return false
    const result = await this.#frames.read()
    if (result.type === 'end') return false
    if (result.type === 'missing') {
      const { from, to, at, reason } = result.missing
      const text = missingText(reason, to - Math.max(from, this.#assembler.position().position))
      this.#enqueue(this.#bounded(() => this.#assembler.skip(from, to, at, text)))
      return true
    }
    const { frames } = result
    const isStopped = this.#bounded(() => this.#take(frames, stop))
    return !isStopped || this.head !== undefined
  }

  /** True when a frame at `stop` or behind it was met. */
  #take(frames: readonly Frame[], stop: number): boolean {
    for (const { header, payload } of frames) {
      if (header.seq >= stop) return true
      this.#enqueue(this.#assembler.add(header, payload))
    }
    return false
  }

  /** After a refusal this reader is of no use any more. */
  #bounded<T>(work: () => T): T {
    if (this.#search === null || this.#search.isQuick) return work()
    try {
      return boundedWork(searchMs, work)
    } catch (error) {
      if (!(error instanceof TookTooLong)) throw error
      throw new LocaldError('usage', `Cannot search for "${this.#search.source}": it takes too long`, {
        cause: error,
        hint: 'Repetitions within repetitions, such as (a+)+, try every way to match a line. Search for something simpler',
      })
    }
  }

  #enqueue(lines: readonly AssembledLine[]): void {
    const { skipThrough = -1 } = this.#range
    const wanted = skipThrough === -1 ? lines : lines.filter(({ end }) => end > skipThrough)
    if (this.head === undefined) {
      this.#queue = []
      this.#taken = 0
    }
    for (const line of wanted) this.#queue.push(line)
  }

  #wants(time: number, lineRun: number, stream: LogLine['stream']): boolean {
    const { since, until, run, outputOnly } = this.#filter
    if (run !== null && lineRun !== run) return false
    if (outputOnly && stream === 'locald') return false
    // Lines show whole milliseconds, and those are what a reader can ask for.
    const at = Math.floor(time)
    return !((since !== undefined && at < since) || (until !== undefined && at > until))
  }
}

function missingText(reason: 'removed' | 'damaged', bytes: number): string {
  return reason === 'removed'
    ? `${String(bytes)} bytes of older log were removed to keep it within its limits`
    : `${String(bytes)} bytes of the log are damaged and cannot be shown`
}
