// Reads the lines of one instance that a query asks for, in the order they were completed.
import type { FrameStream } from '../lib/segment-format.ts'
import { stripAnsi } from '../lib/terminal-text.ts'
import { FrameReader } from './frame-reader.ts'
import { LineAssembler, type AssembledLine, type LinePart } from './line-assembler.ts'
import type { LogSource } from './log-reader.ts'
import type { ReadPosition } from './read-position.ts'

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

export interface SourceLine extends AssembledLine {
  readonly source: SourceReader
  /** What to merge by: its time, or a later one that came before it in its source. */
  readonly order: number
}

/** Holds a window of the stream and its lines; reads the next one when asked to. */
export class SourceReader implements AsyncDisposable {
  readonly source: LogSource
  readonly #filter: LineFilter
  readonly #range: SourceRange
  readonly #frames: FrameReader
  readonly #assembler: LineAssembler
  readonly #matches: (text: string) => boolean
  #queue: SourceLine[] = []
  #taken = 0
  #position: ReadPosition
  #order = -Infinity

  constructor(source: LogSource, filter: LineFilter, range: SourceRange) {
    this.source = source
    this.#filter = filter
    this.#range = range
    this.#position = range.from
    this.#frames = new FrameReader(source.directory, range.startAt, source.unwritten)
    const { grep } = filter
    this.#matches = grep === undefined ? () => true : lineMatcher(grep)
    this.#assembler = new LineAssembler({
      from: range.from,
      ...(grep === undefined ? {} : { wants: this.#matches }),
      ...(grep === undefined || !isLocal(grep) ? {} : { mayWant: manyLinesMatcher(grep) }),
    })
  }

  /** The next line that was read already. */
  get head(): SourceLine | undefined {
    return this.#queue[this.#taken]
  }

  /** Takes the head off. */
  shift(): void {
    const line = this.head
    if (line === undefined) return
    this.#position = line.after()
    this.#taken++
    if (this.#taken === this.#queue.length) this.#position = this.#assembler.position()
  }

  /** Reads until there is a head; false when there is nothing more for now, or when `isOver` says so. */
  async fill(isOver: () => boolean): Promise<boolean> {
    while (this.head === undefined && !isOver()) {
      const isEnd = !(await this.#readWindow())
      if (isEnd && this.#range.partsAtEnd) this.giveParts()
      if (this.head !== undefined) return true
      this.#position = this.#assembler.position()
      if (isEnd) return false
    }
    return this.head !== undefined
  }

  /** Makes lines of what is there of lines that are not complete. */
  giveParts(isDue?: (stream: FrameStream) => boolean): void {
    this.#enqueue(this.#assembler.giveParts(isDue))
  }

  parts(): readonly LinePart[] {
    return this.#assembler.parts()
  }

  /** After the last line taken. */
  get position(): ReadPosition {
    return this.#position
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
      this.#enqueue(this.#assembler.skip(from, to, at, text))
      return true
    }
    for (const { header, payload } of result.frames) {
      if (header.seq >= stop) return this.head !== undefined
      this.#enqueue(this.#assembler.add(header, payload))
    }
    return true
  }

  #enqueue(lines: readonly AssembledLine[]): void {
    if (this.head === undefined) {
      this.#queue = []
      this.#taken = 0
    }
    for (const line of lines) {
      this.#order = Math.max(this.#order, line.at)
      if (this.#isWanted(line)) this.#queue.push(Object.assign(line, { source: this, order: this.#order }))
    }
  }

  #isWanted(line: AssembledLine): boolean {
    const { since, until, run, outputOnly } = this.#filter
    if (line.end <= (this.#range.skipThrough ?? -1)) return false
    if (run !== null && line.run !== run) return false
    if (outputOnly && line.stream === 'locald') return false
    // Lines show whole milliseconds, and those are what a reader can ask for.
    const at = Math.floor(line.at)
    if ((since !== undefined && at < since) || (until !== undefined && at > until)) return false
    return this.#matches(line.text)
  }
}

function missingText(reason: 'removed' | 'damaged', bytes: number): string {
  return reason === 'removed'
    ? `${String(bytes)} bytes of older log were removed to keep it within its limits`
    : `${String(bytes)} bytes of the log are damaged and cannot be shown`
}

/** Colours and the like are no part of what is searched. */
function visible(text: string): string {
  return text.includes('\u001b') ? stripAnsi(text) : text
}

function lineMatcher(grep: RegExp): (text: string) => boolean {
  const expression = new RegExp(grep.source, grep.flags.replace(/[gy]/g, ''))
  return (text) => expression.test(visible(text))
}

/**
 * Tells of many lines at once whether one might match: if the expression matches in a line, it matches in the text
 * around it, too. Not for expressions that look at what is beside the match.
 */
function manyLinesMatcher(grep: RegExp): (lines: string) => boolean {
  const expression = new RegExp(grep.source, `${grep.flags.replace(/[gym]/g, '')}m`)
  return (lines) => expression.test(lines.includes('\u001b') ? stripAnsi(lines.replaceAll('\r', '\n')) : lines)
}

function isLocal(grep: RegExp): boolean {
  return !/\(\?<?[=!]/.test(grep.source)
}
