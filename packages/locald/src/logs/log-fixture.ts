// Streams for the tests of this folder: recorded by the real writer, in a directory of their own.
import { existsSync, mkdirSync, symlinkSync } from 'node:fs'
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LogLine } from '@locald/protocol'
import type { FrameStream } from '../lib/segment-format.ts'
import { SegmentWriter, type SegmentWriterOptions } from '../lib/segment-writer.ts'
import type { LogFollow, LogQuery, LogSource, ReadUnwritten } from './log-reader.ts'
import type { LogRecord } from './log-record.ts'
import { readLogs } from './read-logs.ts'

type Limits = Pick<SegmentWriterOptions, 'segmentBytes' | 'segments' | 'ringBytes'>

/** Several streams below one temporary directory, and what a keeper would tell of them. */
export class LogFixture implements AsyncDisposable {
  readonly #directory: string
  readonly #writers = new Map<string, SegmentWriter>()
  readonly #listeners = new Set<(stream: string) => void>()
  readonly #limits: Limits

  private constructor(directory: string, limits: Limits) {
    this.#directory = directory
    this.#limits = limits
  }

  static async create(
    limits = { segmentBytes: 1024 * 1024, segments: 10 },
    ringBytes = 4 * 1024 * 1024,
  ): Promise<LogFixture> {
    return new LogFixture(await mkdtemp(join(tmpdir(), 'locald-logs-')), { ...limits, ringBytes: () => ringBytes })
  }

  source(label: string): LogSource {
    const stream = `project/${label}`
    const unwritten: ReadUnwritten = async (from) => {
      const writer = this.#writers.get(label)
      if (writer?.failing !== true) return null
      const { bytes, end } = writer.waiting(from, 10_000)
      return { frames: bytes, end, lastRun: writer.lastRun }
    }
    return { label, stream, directory: join(this.#directory, stream), unwritten }
  }

  /** From its next segment on the stream cannot be written: a file is where its folder is looked for. */
  async refuse(label: string): Promise<void> {
    await rm(this.#way(label))
    await writeFile(this.#way(label), '')
  }

  async accept(label: string): Promise<void> {
    await rm(this.#way(label))
    await symlink(this.source(label).directory, this.#way(label))
  }

  /** The way by which the writer comes to the folder. */
  #way(label: string): string {
    return `${this.source(label).directory}.way`
  }

  /** The stream's writer, opened on first use and again after `closeWriter`. */
  writer(label: string): SegmentWriter {
    const { directory, stream } = this.source(label)
    const known = this.#writers.get(label)
    if (known !== undefined) return known
    const tell = (): void => {
      for (const listener of this.#listeners) listener(stream)
    }
    mkdirSync(directory, { recursive: true })
    if (!existsSync(this.#way(label))) symlinkSync(directory, this.#way(label))
    const writer = new SegmentWriter(this.#way(label), { ...this.#limits, onFlushed: tell, onWaiting: tell })
    this.#writers.set(label, writer)
    return writer
  }

  async closeWriter(label: string): Promise<void> {
    await this.#writers.get(label)?.close()
    this.#writers.delete(label)
  }

  /** Records output and waits until it can be read. */
  async output(
    label: string,
    bytes: string | Uint8Array,
    { at = Date.now(), run = 1, stream = 'pty' }: { at?: number; run?: number; stream?: FrameStream } = {},
  ): Promise<void> {
    const writer = this.writer(label)
    writer.append({ kind: 'output', stream, run, at, bytes: typeof bytes === 'string' ? Buffer.from(bytes) : bytes })
    await writer.flush()
  }

  async record(
    label: string,
    record: LogRecord | Readonly<Record<string, unknown>>,
    { at = Date.now(), run = 1 } = {},
  ): Promise<void> {
    const writer = this.writer(label)
    writer.append({ kind: 'record', stream: 'none', run, at, bytes: Buffer.from(JSON.stringify(record)) })
    await writer.flush()
  }

  follow(signal: AbortSignal): LogFollow {
    return {
      signal,
      onGrew: (listener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
    }
  }

  async read(labels: string | readonly string[], query: LogQuery = {}): Promise<LogLine[]> {
    const lines: LogLine[] = []
    for await (const batch of readLogs(
      [labels].flat().map((label) => this.source(label)),
      query,
    ))
      lines.push(...linesIn(batch))
    return lines
  }

  async texts(labels: string | readonly string[], query: LogQuery = {}): Promise<string[]> {
    return (await this.read(labels, query)).map(({ text }) => text)
  }

  /** Follows, as long as the test asks for lines. */
  following(labels: string | readonly string[], query: LogQuery = {}): FollowedLines {
    const abort = new AbortController()
    const sources = [labels].flat().map((label) => this.source(label))
    return new FollowedLines(linesOf(readLogs(sources, query, this.follow(abort.signal))), abort)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const label of this.#writers.keys()) await this.closeWriter(label)
    await rm(this.#directory, { recursive: true, force: true })
  }
}

/** The lines of what `readLogs` gives at a time. */
export function linesIn(json: string): LogLine[] {
  return json
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as LogLine)
}

async function* linesOf(batches: AsyncIterable<string>): AsyncGenerator<LogLine> {
  for await (const batch of batches) yield* linesIn(batch)
}

export class FollowedLines implements AsyncDisposable {
  readonly #lines: AsyncIterator<LogLine>
  readonly #abort: AbortController

  constructor(lines: AsyncIterable<LogLine>, abort: AbortController) {
    this.#lines = lines[Symbol.asyncIterator]()
    this.#abort = abort
  }

  /** The next so many lines, waiting for them. */
  async take(count: number): Promise<LogLine[]> {
    const taken: LogLine[] = []
    while (taken.length < count) {
      const next = await this.#lines.next()
      if (next.done === true) throw new Error(`Following ended after ${String(taken.length)} lines`)
      taken.push(next.value)
    }
    return taken
  }

  async texts(count: number): Promise<string[]> {
    return (await this.take(count)).map(({ text }) => text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort()
    await this.#lines.return?.()
  }
}
