// The one writer of every log stream, opened and closed as runs come and go.
import { isAbsolute, join, normalize } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createFineClock } from '../lib/fine-clock.ts'
import { SegmentWriter } from '../lib/segment-writer.ts'
import { LogBudget } from './log-budget.ts'
import type { Logger } from '../lib/logger.ts'
import type { LogTarget, StreamTrouble, UnwrittenOutput, TimedOutput } from './protocol.ts'

export type OutputStream = 'pty' | 'stdout' | 'stderr'

/** A stream without a run is closed after that long. */
const idleMs = 10_000

/** A stream is told to have grown at most this often: whoever follows reads larger pieces, and the keeper has other work. */
const growthMs = 20

/** That somebody has ended must be told also when the disk hangs. */
const mostPatienceMs = 1000

/** Part of the limit of all streams that one segment may take. */
const mostOfTotal = 1 / 8

/** For what the disk refuses, all streams together; one stream alone may have `mostRingBytes`. */
const ringsBytes = 32 * 1024 * 1024
const mostRingBytes = 4 * 1024 * 1024
const leastRingBytes = 256 * 1024

/** Of what the disk has not taken, in one answer. */
const answerBytes = 256 * 1024

interface OpenStream {
  readonly stream: string
  readonly writer: SegmentWriter
  /** Why the disk refuses what is appended; null: it does not. */
  trouble: string | null
  /** Runs that write to it. */
  holders: number
  idle: NodeJS.Timeout | null
}

export interface LogStreamsOptions {
  /** Every stream is a folder below it. */
  readonly directory: string
  /** Output was written and can be read. */
  readonly onGrew: (stream: string) => void
  /** The disk refuses a stream, or takes it again. */
  readonly onTrouble: (trouble: StreamTrouble) => void
  readonly logger: Logger
}

/** Trouble with a disk is logged and costs output, never a service. */
export class LogStreams {
  readonly #options: LogStreamsOptions
  readonly #streams = new Map<string, OpenStream>()
  /** Streams that were told of just now, and whether they have grown since. */
  readonly #grown = new Map<string, boolean>()
  #growth: NodeJS.Timeout | null = null
  readonly #now = createFineClock()
  readonly #budget: LogBudget

  constructor(options: LogStreamsOptions) {
    this.#options = options
    this.#budget = new LogBudget({
      directory: options.directory,
      openSegment: (stream) => this.#streams.get(stream)?.writer.openSegment ?? null,
      endSegment: (stream) => this.#streams.get(stream)?.writer.endSegment(),
      logger: options.logger,
    })
  }

  /** Streams that the disk refuses at present. */
  get troubles(): readonly StreamTrouble[] {
    return [...this.#streams.values()].flatMap(({ stream, trouble }) => (trouble === null ? [] : [{ stream, trouble }]))
  }

  /** A run begins to write: the stream stays open until as many calls of `release`. */
  hold(target: LogTarget): void {
    const open = this.#open(target)
    open.writer.limit(limitsOf(target))
    open.holders++
    this.#closeWhenIdle(open)
  }

  release(target: LogTarget): void {
    const open = this.#open(target)
    open.holders--
    this.#closeWhenIdle(open)
  }

  /** False: read no more from the source until `drained`. `bytes` may be used again after the call. */
  output(target: LogTarget, stream: OutputStream, bytes: Uint8Array): boolean {
    const open = this.#open(target)
    return open.writer.append({ kind: 'output', stream, run: target.run, at: this.#now(), bytes })
  }

  /** Output that somebody else has noted the times of. Resolves when the stream can take more. */
  async timedOutput(target: LogTarget, chunks: readonly TimedOutput[]): Promise<void> {
    for (const { stream, at, output } of chunks) {
      const open = this.#open(target)
      // Nobody holds the stream of a container open.
      this.#closeWhenIdle(open)
      const bytes = Buffer.from(output, 'base64')
      const hasRoom = open.writer.append({ kind: 'output', stream, run: target.run, at, bytes, isTimed: true })
      if (!hasRoom) await this.drained(target)
    }
  }

  /** `at`: its time; default: now. */
  record(target: LogTarget, record: Readonly<Record<string, unknown>>, at = this.#now()): void {
    const bytes = Buffer.from(JSON.stringify(record))
    this.#open(target).writer.append({ kind: 'record', stream: 'none', run: target.run, at, bytes })
  }

  /** Resolves when the stream can take more. */
  async drained({ stream }: LogTarget): Promise<void> {
    await this.#streams.get(stream)?.writer.drained()
  }

  /** Resolves when what was recorded can be read, or the disk has refused it or has not answered for a second. */
  async flush({ stream }: LogTarget): Promise<void> {
    const done = new AbortController()
    const { signal } = done
    const patience = wait(mostPatienceMs, undefined, { signal }).catch(() => {}) // the flush was quicker
    await Promise.race([this.#streams.get(stream)?.writer.flush(), patience])
    done.abort()
  }

  /** What the disk has not taken of a stream, from this position on. */
  unwritten(stream: string, from: number): UnwrittenOutput {
    const writer = this.#streams.get(stream)?.writer
    if (writer === undefined || !writer.failing) return { frames: '', end: 0, lastRun: 0 }
    const { bytes, end } = writer.waiting(from, answerBytes)
    return { frames: bytes.toString('base64'), end, lastRun: writer.lastRun }
  }

  async close(): Promise<void> {
    if (this.#growth !== null) clearTimeout(this.#growth)
    await this.#budget.close()
    await Promise.all([...this.#streams.values()].map((open) => this.#close(open)))
  }

  #open(target: LogTarget): OpenStream {
    const { stream, totalBytes } = target
    // Whoever writes: a container has no run here.
    if (totalBytes !== undefined) this.#budget.limit(totalBytes)
    const found = this.#streams.get(stream)
    if (found !== undefined) return found
    if (!isBelow(stream)) throw new Error(`Cannot log to "${stream}": it is not below the log directory`)
    let trouble: string | null = null
    const writer = new SegmentWriter(join(this.#options.directory, stream), {
      ...limitsOf(target),
      ringBytes: () => Math.max(leastRingBytes, Math.min(mostRingBytes, ringsBytes / this.#streams.size)),
      onFlushed: (bytes) => {
        this.#budget.wrote(bytes)
        this.#grew(stream)
      },
      onWaiting: () => this.#grew(stream),
      onError: (error) => {
        this.#options.logger.log('error', 'Cannot write a log stream', { stream, error })
        trouble = codeOf(error)
        this.#setTrouble(stream, trouble)
      },
      onRecovered: () => {
        this.#options.logger.log('info', 'The log stream is written again', { stream })
        this.#setTrouble(stream, null)
      },
    })
    // A folder that cannot be opened is told of before there is a stream to note it in.
    const open: OpenStream = { stream, writer, trouble, holders: 0, idle: null }
    this.#streams.set(stream, open)
    this.#closeWhenIdle(open)
    return open
  }

  #setTrouble(stream: string, trouble: string | null): void {
    const open = this.#streams.get(stream)
    if (open !== undefined) open.trouble = trouble
    this.#options.onTrouble({ stream, trouble })
  }

  /** At once when it was silent; a stream that grows all the time is told of now and then. */
  #grew(stream: string): void {
    if (this.#grown.has(stream)) {
      this.#grown.set(stream, true)
      return
    }
    this.#grown.set(stream, false)
    this.#options.onGrew(stream)
    if (this.#growth === null) this.#growth = setTimeout(() => this.#tellGrowth(), growthMs)
  }

  #tellGrowth(): void {
    this.#growth = null
    for (const [stream, hasGrown] of this.#grown) {
      if (!hasGrown) this.#grown.delete(stream)
      else {
        this.#grown.set(stream, false)
        this.#options.onGrew(stream)
      }
    }
    if (this.#grown.size > 0) this.#growth = setTimeout(() => this.#tellGrowth(), growthMs)
  }

  #closeWhenIdle(open: OpenStream): void {
    if (open.idle !== null) clearTimeout(open.idle)
    open.idle = null
    if (open.holders > 0) return
    const close = (): void => {
      // What waits for the disk would be lost.
      if (open.writer.failing) this.#closeWhenIdle(open)
      else void this.#close(open)
    }
    open.idle = setTimeout(close, idleMs)
    open.idle.unref()
  }

  async #close(open: OpenStream): Promise<void> {
    if (open.idle !== null) clearTimeout(open.idle)
    if (this.#streams.get(open.stream) === open) this.#streams.delete(open.stream)
    await open.writer.close()
  }
}

/** Small enough that removing whole segments keeps most of what may be kept. */
function limitsOf({
  segmentBytes,
  segments,
  totalBytes = Infinity,
}: LogTarget): Pick<LogTarget, 'segmentBytes' | 'segments'> {
  return { segmentBytes: Math.min(segmentBytes, Math.ceil(totalBytes * mostOfTotal)), segments }
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
}

function isBelow(stream: string): boolean {
  return stream !== '' && !isAbsolute(stream) && normalize(stream).split('/')[0] !== '..'
}
