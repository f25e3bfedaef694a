// Keeps all log streams together below a limit, by removing the oldest segments.
import { readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { indexName, segmentNames } from '../lib/segment-format.ts'
import type { Logger } from '../lib/logger.ts'

export interface LogBudgetOptions {
  /** Streams are folders two levels below it. */
  readonly directory: string
  /** Path of the segment that a stream is writing to; null when it writes to none. */
  readonly openSegment: (stream: string) => string | null
  /** Has an open stream add no more to its segment. */
  readonly endSegment: (stream: string) => void
  readonly logger: Logger
}

interface Segment {
  readonly stream: string
  readonly name: string
  readonly bytes: number
  /** Milliseconds since the epoch of its last write. */
  readonly changedAt: number
}

/** All folders are looked through after this part of the limit was written… */
const checkedPart = 1 / 32
/** …and then as much is removed as leaves this part free, so that the limit holds in between. */
const freePart = 1 / 16
/** Between two looks at least, whatever is written. */
const restMs = 100

export class LogBudget {
  readonly #options: LogBudgetOptions
  #limit = Infinity
  #written = Infinity
  #timer: NodeJS.Timeout | null = null
  #checking: Promise<void> | null = null

  constructor(options: LogBudgetOptions) {
    this.#options = options
  }

  /** Bytes of all streams, their indexes included. */
  limit(bytes: number): void {
    if (bytes === this.#limit) return
    this.#limit = bytes
    this.#checkSoon()
  }

  /** So many bytes were added to some stream. */
  wrote(bytes: number): void {
    this.#written += bytes
    if (this.#written >= this.#limit * checkedPart) this.#checkSoon()
  }

  async close(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#limit = Infinity
    await this.#checking
  }

  #checkSoon(): void {
    if (this.#limit === Infinity || this.#timer !== null || this.#checking !== null) return
    this.#timer = setTimeout(() => {
      this.#timer = null
      this.#written = 0
      this.#checking = this.#check()
        .catch((error: unknown) => {
          this.#options.logger.log('warn', 'Cannot look through the logs', { error })
          return true
        })
        .then((isDone) => {
          this.#checking = null
          if (!isDone) this.#checkSoon()
        })
    }, restMs)
    this.#timer.unref()
  }

  /** False when there is more to remove at the next look. */
  async #check(): Promise<boolean> {
    const segments = await this.#segments()
    const total = segments.reduce((sum, { bytes }) => sum + bytes, 0)
    if (total <= this.#limit * (1 - freePart)) return true
    let excess = total - this.#limit * (1 - freePart)
    const isOpen = ({ stream, name }: Segment): boolean => this.#options.openSegment(stream) === name
    for (const segment of segments.filter((each) => !isOpen(each))) {
      if (excess <= 0) return true
      await this.#remove(segment)
      excess -= segment.bytes
    }
    if (excess <= 0) return true
    // What is left is being written: the largest of it goes at the next look, when its stream may have begun another.
    for (const segment of segments.filter(isOpen).sort((a, b) => b.bytes - a.bytes)) {
      if (excess <= 0) return false
      this.#options.endSegment(segment.stream)
      excess -= segment.bytes
    }
    return false
  }

  /** Oldest first. */
  async #segments(): Promise<Segment[]> {
    const found: Segment[] = []
    for (const project of await namesIn(this.#options.directory)) {
      for (const instance of await namesIn(join(this.#options.directory, project))) {
        const stream = join(project, instance)
        for (const { name } of segmentNames(await namesIn(join(this.#options.directory, stream)))) {
          const segment = await this.#segment(stream, name)
          if (segment !== null) found.push(segment)
        }
      }
    }
    return found.sort((a, b) => a.changedAt - b.changedAt)
  }

  async #segment(stream: string, name: string): Promise<Segment | null> {
    const path = join(this.#options.directory, stream, name)
    const [segment, index] = await Promise.all([statOrNull(path), statOrNull(indexName(path))])
    if (segment === null) return null
    return { stream, name, bytes: segment.size + (index?.size ?? 0), changedAt: segment.mtimeMs }
  }

  /** What cannot be removed now is met again at the next look. */
  async #remove({ stream, name }: Segment): Promise<void> {
    const path = join(this.#options.directory, stream, name)
    for (const file of [indexName(path), path]) await unlink(file).catch(() => undefined)
  }
}

/** None when it is no folder, or is gone. */
async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => [])
}

async function statOrNull(path: string): Promise<{ readonly size: number; readonly mtimeMs: number } | null> {
  return await stat(path).catch(() => null)
}
