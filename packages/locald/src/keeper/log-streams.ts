// The one writer of every log stream, opened and closed as runs come and go.
import { isAbsolute, join, normalize } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { createFineClock } from '../lib/fine-clock.ts'
import { SegmentWriter } from '../lib/segment-writer.ts'
import type { Logger } from '../lib/logger.ts'
import type { LogTarget, TimedOutput } from './protocol.ts'

export type OutputStream = 'pty' | 'stdout' | 'stderr'

/** A stream without a run is closed after that long. */
const idleMs = 10_000

/** A stream is told to have grown at most this often: whoever follows reads larger pieces, and the keeper has other work. */
const growthMs = 20

/** That somebody has ended must be told also when the disk hangs. */
const mostPatienceMs = 1000

interface OpenStream {
  readonly target: LogTarget
  readonly writer: SegmentWriter
  /** Runs that write to it. */
  holders: number
  idle: NodeJS.Timeout | null
}

export interface LogStreamsOptions {
  /** Every stream is a folder below it. */
  readonly directory: string
  /** Output was written and can be read. */
  readonly onGrew: (stream: string) => void
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

  constructor(options: LogStreamsOptions) {
    this.#options = options
  }

  /** A run begins to write: the stream stays open until as many calls of `release`. */
  hold(target: LogTarget): void {
    const open = this.#open(target)
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

  async close(): Promise<void> {
    await Promise.all([...this.#streams.values()].map((open) => this.#close(open)))
  }

  #open(target: LogTarget): OpenStream {
    const { stream, segmentBytes, segments } = target
    const found = this.#streams.get(stream)
    if (found !== undefined && !canReplace(found, target)) return found
    if (!isBelow(stream)) throw new Error(`Cannot log to "${stream}": it is not below the log directory`)
    if (found !== undefined) void this.#close(found)
    const writer = new SegmentWriter(join(this.#options.directory, stream), {
      segmentBytes,
      segments,
      onFlushed: () => this.#grew(stream),
      onError: (error) => this.#options.logger.log('error', 'Cannot write a log stream', { stream, error }),
    })
    const open: OpenStream = { target, writer, holders: 0, idle: null }
    this.#streams.set(stream, open)
    this.#closeWhenIdle(open)
    return open
  }

  /** At once when it was silent; a stream that grows all the time is told of now and then. */
  #grew(stream: string): void {
    if (this.#grown.has(stream)) {
      this.#grown.set(stream, true)
      return
    }
    this.#grown.set(stream, false)
    this.#options.onGrew(stream)
    this.#growth ??= setTimeout(() => this.#tellGrowth(), growthMs)
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
    open.idle = setTimeout(() => void this.#close(open), idleMs)
    open.idle.unref()
  }

  async #close(open: OpenStream): Promise<void> {
    if (open.idle !== null) clearTimeout(open.idle)
    if (this.#streams.get(open.target.stream) === open) this.#streams.delete(open.target.stream)
    await open.writer.close()
  }
}

/** Other limits need another writer, and a folder has one at a time: only when nothing waits in the old one. */
function canReplace(open: OpenStream, { segmentBytes, segments }: LogTarget): boolean {
  const isSame = open.target.segmentBytes === segmentBytes && open.target.segments === segments
  return !isSame && open.holders === 0 && open.writer.bufferedBytes === 0
}

function isBelow(stream: string): boolean {
  return stream !== '' && !isAbsolute(stream) && normalize(stream).split('/')[0] !== '..'
}
