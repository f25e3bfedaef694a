// Records a stream of timed chunks as segment files. It is made for a process that must go on reading whatever happens
// to the disk: nothing here throws after construction or waits for the disk on the caller's stack.
import {
  close,
  closeSync,
  constants,
  fstatSync,
  ftruncate,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  write,
  writeFileSync,
} from 'node:fs'
import { open, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { BufferPool } from './buffer-pool.ts'
import {
  encodeIndexEntry,
  headerBytes,
  indexEntryBytes,
  indexName,
  indexSpacing,
  maxOutputBytes,
  maxPayloadBytes,
  openAfter,
  readUncheckedHeader,
  segmentName,
  segmentNames,
  writeFrameHeader,
  type FrameHeader,
  type FrameKind,
  type FrameStream,
  type IndexEntry,
} from './segment-format.ts'
import { SegmentScanner, type SegmentScan } from './segment-scanner.ts'

export interface SegmentWriterOptions {
  /** Bytes of a segment; a new one is begun before a write would pass this. */
  readonly segmentBytes: number
  /** How many segments are kept, the one being written among them. */
  readonly segments: number
  /** So many bytes were written and can be read now. */
  readonly onFlushed?: (bytes: number) => void
  /** The disk refuses what is appended; `onRecovered` follows once it has taken what was waiting. */
  readonly onError?: (error: unknown) => void
  readonly onRecovered?: () => void
  /** The disk refuses, and this was appended all the same: it is to be read by `waiting`. */
  readonly onWaiting?: () => void
  /** Bytes that wait in memory at most: beyond, the oldest are dropped and counted. Default 4 MiB. */
  readonly ringBytes?: () => number
}

/** What the disk has not taken yet. */
export interface WaitingFrames {
  /** Whole frames, complete as they will be written; empty when there are none. */
  readonly bytes: Buffer
  /** Position after everything that was appended. */
  readonly end: number
}

/** A chunk to record. */
export interface Chunk {
  readonly kind: FrameKind
  readonly stream: FrameStream
  readonly run: number
  /** Milliseconds since the epoch; a fraction is kept. */
  readonly at: number
  /** Copied before `append` returns. */
  readonly bytes: Uint8Array
  /** Keeps its time: it shares no frame with an earlier chunk. Default false. */
  readonly isTimed?: boolean
}

/** What a `gap` frame says, as JSON. */
export interface GapAccount {
  /** Code of the error that kept the disk from taking them, or `overload` when it was only too slow. */
  readonly reason: string
  readonly bytes: number
  readonly frames: number
}

/** `append` asks for a pause above this many waiting bytes, or half the ring; `drained` resolves at half of that. */
const pauseBytes = 1024 * 1024
/** Chunks of one stream that arrive within this time share a frame. */
const coalesceMs = 5
/** A stream that is written to all the time is written out this often, which makes few large writes of many small. */
const busyWriteMs = 8
const smallBlockBytes = 16 * 1024
const largeBlockBytes = 256 * 1024
/** Of all streams. */
const largeBlocks = new BufferPool({ bytes: largeBlockBytes, spares: 48 })
/** No account of a loss is longer. */
const gapBytes = 256
const retryMs = { first: 250, longest: 4000 }

/** Frames on their way to the disk. Headers lack their check until the block is sealed. */
interface Block {
  readonly bytes: Buffer
  /** Position of its first byte in the stream. */
  seq: number
  used: number
  /** Up to here it is on the disk; always between two frames. */
  written: number
  /** What was dropped between the block before and this one. */
  lost: Loss | null
  /** What this block, which is one gap frame, tells of. */
  readonly account: Loss | null
}

interface Loss {
  readonly bytes: number
  readonly frames: number
  /** Position of the first of it. */
  readonly from: number
}

/** The frame that the next chunk may still be added to. */
interface LastFrame {
  readonly block: Block
  readonly offset: number
  readonly chunk: Omit<Chunk, 'bytes'>
  length: number
}

interface OpenSegment {
  readonly fd: number
  readonly name: string
  readonly firstSeq: number
  /** Position of its newest index entry, or of its first frame. */
  indexedSeq: number
  /** Bytes of its index file. */
  indexBytes: number
}

interface FlushWaiter {
  /** The last of the blocks when it was asked for. */
  readonly block: Block
  readonly resolve: (complete: boolean) => void
}

const writeBytes = promisify(write)
const truncateFile = promisify(ftruncate)
const closeFile = promisify(close)

/** The one writer of a folder of segments. */
export class SegmentWriter {
  readonly #directory: string
  readonly #options: SegmentWriterOptions
  #segmentBytes: number
  #segments: number
  #segment: OpenSegment | null = null
  #isSegmentOver = false
  /** Position of the next frame on the disk. */
  #seq = 0
  /** Position of the next frame that is appended. */
  #end = 0
  /** What that frame will say of the ones before it. */
  #open = 0
  #openRun = 0
  #lastRun = 0
  #opened = false
  #blocks: Block[] = []
  #last: LastFrame | null = null
  #bufferedBytes = 0
  #isBusy = false
  #inFlight: Block | null = null
  #running: Promise<void> | null = null
  #cancelWake: (() => void) | null = null
  #lastWriteAt = -Infinity
  /** Until everything that waits is written. */
  #failure: { readonly code: string; delayMs: number } | null = null
  /** The last write failed. */
  #isRefused = false
  #closed: Promise<void> | null = null
  #drained: (() => void)[] = []
  #flushed: FlushWaiter[] = []

  /**
   * Opens the folder, or makes it: cuts a torn last frame and goes on where the stream ended. A folder that cannot be
   * opened is reported to `onError` and tried again; chunks wait in memory until then.
   */
  constructor(directory: string, options: SegmentWriterOptions) {
    this.#directory = directory
    this.#options = options
    this.#segmentBytes = options.segmentBytes
    this.#segments = options.segments
    try {
      this.#openDirectory()
    } catch (error) {
      this.#fail(error)
    }
  }

  /** The highest run seen, also by an earlier writer of this folder; 0 before the first. */
  get lastRun(): number {
    return this.#lastRun
  }

  /** Bytes that wait to be written. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Whether the disk refuses at present; what is appended waits in memory, the newest `ringBytes` of it. */
  get failing(): boolean {
    return this.#failure !== null
  }

  /** Name of the segment that is being written; null before the first, and once it is over. */
  get openSegment(): string | null {
    return this.#isSegmentOver ? null : (this.#segment?.name ?? null)
  }

  /** From the next write on. */
  limit({ segmentBytes, segments }: Pick<SegmentWriterOptions, 'segmentBytes' | 'segments'>): void {
    this.#segmentBytes = segmentBytes
    this.#segments = segments
  }

  /** Adds no more to the segment at hand, so that it may be removed. */
  endSegment(): void {
    this.#isSegmentOver = this.#segment !== null
  }

  /** Frames from `position` on, or from the next one that was not dropped, with the account of those before it. */
  waiting(position: number, mostBytes: number): WaitingFrames {
    const parts: Buffer[] = []
    let bytes = 0
    for (const block of this.#blocks) {
      if (block.seq + block.used <= position) continue
      if (bytes >= mostBytes) break
      if (block.lost !== null && position < block.seq) parts.push(...this.#gapFrame(block, block.lost))
      const sealed = Buffer.from(block.bytes.subarray(0, block.used))
      seal(sealed, block.written)
      let from = block.written
      for (; from < sealed.length && block.seq + from < position;) from += frameLength(sealed, from)
      let to = from
      while (to < sealed.length && bytes < mostBytes) {
        bytes += frameLength(sealed, to)
        to += frameLength(sealed, to)
      }
      parts.push(sealed.subarray(from, to))
    }
    // What was read must stay as it is: the next chunk gets a frame of its own.
    this.#last = null
    return { bytes: Buffer.concat(parts), end: this.#end }
  }

  /**
   * Records a chunk. False: more is waiting than should; read no more from the source until `drained` resolves.
   * Going on all the same loses the oldest of what waits. After `close`, chunks are ignored.
   */
  append(chunk: Chunk): boolean {
    if (this.#closed !== null) return true
    this.#lastRun = Math.max(this.#lastRun, chunk.run)
    if (chunk.kind === 'output') this.#appendOutput(chunk)
    else if (chunk.bytes.length <= maxPayloadBytes) this.#addFrame(chunk, chunk.bytes)
    this.#boundRing()
    if (this.#failure !== null) this.#options.onWaiting?.()
    this.#schedule()
    return !this.#shouldPause()
  }

  /** Resolves when there is room again, at once if there is. */
  drained(): Promise<void> {
    if (!this.#shouldPause()) return Promise.resolve()
    return new Promise((resolve) => this.#drained.push(resolve))
  }

  /**
   * Writes out what was appended so far. Resolves with whether all of it is on the disk; while the disk refuses, with
   * false after one more try.
   */
  flush(): Promise<boolean> {
    const block = this.#blocks.at(-1)
    if (block === undefined) return Promise.resolve(true)
    return new Promise((resolve) => {
      this.#flushed.push({ block, resolve })
      this.#start()
    })
  }

  /** Writes out what it can and closes the files. May be called twice. */
  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    await this.flush()
    await this.#running
    this.#cancelWake?.()
    if (this.#segment !== null) await closeFile(this.#segment.fd).catch(() => undefined)
    this.#segment = null
    this.#blocks = []
    this.#bufferedBytes = 0
    this.#settleWaiters({ areAllDue: true })
  }

  #appendOutput(chunk: Chunk): void {
    let rest = chunk.bytes
    while (rest.length > 0) {
      const taken = this.#extendLast(chunk, rest)
      if (taken === 0) {
        const part = rest.subarray(0, Math.min(maxOutputBytes, this.#blockBytes() - headerBytes))
        this.#addFrame(chunk, part)
        rest = rest.subarray(part.length)
      } else rest = rest.subarray(taken)
    }
  }

  /** Adds to the last frame what it may take; returns how much that is. */
  #extendLast(chunk: Chunk, bytes: Uint8Array): number {
    const last = this.#last
    if (last === null || last.block === this.#inFlight) return 0
    const { kind, stream, run, at } = last.chunk
    if (kind !== 'output' || stream !== chunk.stream || run !== chunk.run) return 0
    if (chunk.isTimed === true || chunk.at - at > coalesceMs || chunk.at < at) return 0
    const { block } = last
    const room = Math.min(block.bytes.length - block.used, maxOutputBytes - last.length, bytes.length)
    block.bytes.set(room === bytes.length ? bytes : bytes.subarray(0, room), block.used)
    block.used += room
    last.length += room
    block.bytes.writeUInt32LE(last.length, last.offset)
    this.#bufferedBytes += room
    this.#end += room
    this.#noteOpen(last.chunk, bytes[room - 1])
    return room
  }

  #addFrame(chunk: Chunk, bytes: Uint8Array): void {
    const { kind, stream, run, at } = chunk
    const block = this.#blockFor(headerBytes + bytes.length)
    const offset = block.used
    if (run !== this.#openRun) this.#open = 0
    this.#openRun = run
    const header = { kind, stream, run, at, length: bytes.length, seq: this.#end, open: this.#open }
    writeFrameHeader(block.bytes, offset, header)
    block.bytes.set(bytes, offset + headerBytes)
    block.used += headerBytes + bytes.length
    this.#bufferedBytes += headerBytes + bytes.length
    this.#end += headerBytes + bytes.length
    this.#noteOpen(header, bytes.at(-1))
    this.#last = { block, offset, chunk: { kind, stream, run, at }, length: bytes.length }
  }

  #noteOpen({ kind, stream }: Pick<FrameHeader, 'kind' | 'stream'>, lastByte: number | undefined): void {
    this.#open = openAfter({ kind, stream, open: this.#open }, lastByte)
  }

  #blockBytes(): number {
    return Math.min(largeBlockBytes, Math.max(this.#segmentBytes, 4096))
  }

  #ringBytes(): number {
    return this.#options.ringBytes?.() ?? 4 * 1024 * 1024
  }

  #pauseBytes(): number {
    return Math.min(pauseBytes, this.#ringBytes() / 2)
  }

  #blockFor(bytes: number): Block {
    const last = this.#blocks.at(-1)
    const fits = last !== undefined && last !== this.#inFlight && last.used + bytes <= last.bytes.length
    if (fits) return last
    // The first block after a pause is small: most streams write a line now and then, and there may be hundreds of them.
    const isFirst = this.#blocks.length === 0 && !this.#isBusy
    const size = Math.max(bytes, isFirst ? smallBlockBytes : this.#blockBytes())
    const block: Block = {
      bytes: size === largeBlockBytes ? largeBlocks.take() : Buffer.allocUnsafeSlow(size),
      seq: this.#end,
      used: 0,
      written: 0,
      lost: null,
      account: null,
    }
    this.#blocks.push(block)
    return block
  }

  /**
   * Drops the oldest blocks beyond the ring, but for the one that the disk is taking just now. Positions stay: the account
   * of what is missing takes the place of the last of it.
   */
  #boundRing(): void {
    const most = this.#ringBytes()
    for (;;) {
      const index = this.#blocks[0] === this.#inFlight ? 1 : 0
      const dropped = this.#blocks[index]
      const next = this.#blocks[index + 1]
      if (dropped === undefined || next === undefined) return
      const isTight = dropped.lost !== null && dropped.seq - dropped.lost.from < gapBytes
      if (this.#bufferedBytes <= most && !isTight) return
      next.lost = [dropped.lost, lossOf(dropped), next.lost].reduce(addLoss)
      this.#blocks.splice(index, 1)
      this.#bufferedBytes -= dropped.used - dropped.written
    }
  }

  #shouldPause(): boolean {
    return !this.#isRefused && this.#bufferedBytes > this.#pauseBytes()
  }

  #schedule(): void {
    if (this.#running !== null || this.#cancelWake !== null) return
    const idle = performance.now() - this.#lastWriteAt > busyWriteMs
    this.#wakeIn(idle || this.#bufferedBytes >= largeBlockBytes ? 0 : busyWriteMs)
  }

  /** 0: once the events of this turn are dealt with, so that they are written together. */
  #wakeIn(delayMs: number): void {
    this.#cancelWake?.()
    const start = (): void => this.#start()
    if (delayMs === 0) {
      const immediate = setImmediate(start)
      this.#cancelWake = () => clearImmediate(immediate)
    } else {
      const timer = setTimeout(start, delayMs)
      this.#cancelWake = () => clearTimeout(timer)
    }
  }

  #start(): void {
    this.#cancelWake?.()
    this.#cancelWake = null
    if (this.#running !== null) return
    this.#running = this.#writeAll().finally(() => {
      this.#running = null
      this.#settleWaiters({ areAllDue: this.#failure !== null })
      if (this.#failure !== null) this.#retryLater()
      else if (this.#blocks.length > 0) this.#schedule()
    })
  }

  /** Writes what waits, until there is nothing left or the disk refuses. Never rejects. */
  async #writeAll(): Promise<void> {
    try {
      if (!this.#opened) this.#openDirectory()
      for (let block = this.#blocks[0]; block !== undefined; block = this.#blocks[0]) {
        const bytes = await this.#writeBlock(block)
        this.#isRefused = false
        if (this.#failure !== null && this.#blocks.length === 0) this.#recover()
        this.#settleWaiters({ areAllDue: false })
        this.#options.onFlushed?.(bytes)
        if (this.#failure !== null) continue
        // Under a flood there is always a next block; what has come since waits for its turn, so that blocks are large.
        if (this.#flushed.length === 0 && this.#bufferedBytes < largeBlockBytes) break
      }
    } catch (error) {
      this.#fail(error)
    }
    this.#lastWriteAt = performance.now()
  }

  /** Resolves with how many bytes it wrote. */
  async #writeBlock(waiting: Block): Promise<number> {
    const block = waiting.lost === null ? waiting : this.#gapBefore(waiting, waiting.lost)
    const bytes = block.used - block.written
    this.#inFlight = block
    try {
      const segment = this.#segmentFor(block)
      const entries = seal(block.bytes.subarray(0, block.used), block.written, segment.indexedSeq)
      await this.#writeFrames(block, segment)
      await this.#writeIndex(segment, entries)
    } finally {
      this.#inFlight = null
      if (this.#last?.block === block) this.#last = null
    }
    this.#blocks.shift()
    this.#isBusy = this.#blocks.length > 0 || bytes >= smallBlockBytes
    largeBlocks.giveBack(block.bytes)
    return bytes
  }

  /** A block of its own, before `block`, with the account of what is missing there. */
  #gapBefore(block: Block, lost: Loss): Block {
    block.lost = null
    const [bytes] = this.#gapFrame(block, lost)
    if (bytes === undefined) return block
    const seq = block.seq + block.written - bytes.length
    const gap: Block = { bytes, seq, used: bytes.length, written: 0, lost: null, account: lost }
    this.#blocks.unshift(gap)
    this.#bufferedBytes += bytes.length
    return gap
  }

  /** None when it does not fit, which takes the smallest of blocks. */
  #gapFrame(block: Block, { bytes, frames, from }: Loss): Buffer[] {
    const account: GapAccount = { reason: this.#failure?.code ?? 'overload', bytes, frames }
    const payload = Buffer.from(JSON.stringify(account))
    const length = headerBytes + payload.length
    const { run, at, seq: end } = readUncheckedHeader(block.bytes, block.written)
    if (end - from < length) return []
    const gap = Buffer.alloc(length)
    const header = { kind: 'gap', stream: 'none', run, at, length: payload.length, seq: end - length, open: 0 } as const
    writeFrameHeader(gap, 0, header)
    payload.copy(gap, headerBytes)
    return [gap]
  }

  /** The segment this block goes to: a new one when it would grow too long, or when something is missing before the block. */
  #segmentFor(block: Block): OpenSegment {
    const current = this.#segment
    const length = block.used - block.written
    const position = block.seq + block.written
    if (current !== null && !this.#isSegmentOver && position === this.#seq) {
      const size = this.#seq - current.firstSeq
      if (size === 0 || size + length <= this.#segmentBytes) return current
    }
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    const name = segmentName(position, readUncheckedHeader(block.bytes, block.written).at)
    const fd = openSync(join(this.#directory, name), 'w+', 0o600)
    if (current !== null) close(current.fd, () => undefined)
    this.#segment = { fd, name, firstSeq: position, indexedSeq: position, indexBytes: 0 }
    this.#isSegmentOver = false
    this.#seq = position
    this.#removeOldest()
    return this.#segment
  }

  /** Removal is not worth failing for: what could not be removed now is met again at the next rotation. */
  #removeOldest(): void {
    const names = segmentNames(readdirSync(this.#directory))
    for (const { name } of names.slice(0, Math.max(0, names.length - this.#segments))) {
      for (const file of [indexName(name), name]) void unlink(join(this.#directory, file)).catch(() => undefined)
    }
  }

  async #writeFrames(block: Block, segment: OpenSegment): Promise<void> {
    let reached = block.written
    try {
      while (reached < block.used) {
        const position = this.#seq - segment.firstSeq + (reached - block.written)
        reached += (await writeBytes(segment.fd, block.bytes, reached, block.used - reached, position)).bytesWritten
      }
      this.#commit(block, reached)
    } catch (error) {
      // Readers may have seen the frames that did get there whole, so they stay; the torn one is cut.
      this.#commit(block, reached)
      await truncateFile(segment.fd, this.#seq - segment.firstSeq).catch(() => undefined)
      throw error
    }
  }

  /** Counts the frames of a block that lie before `reached` as written. */
  #commit(block: Block, reached: number): void {
    while (block.written < reached) {
      const header = readUncheckedHeader(block.bytes, block.written)
      const next = block.written + headerBytes + header.length
      if (next > reached) return
      this.#seq += next - block.written
      this.#bufferedBytes -= next - block.written
      block.written = next
    }
  }

  /** Readers do without what is missing at the end of an index, so a fault here is none of the stream. */
  async #writeIndex(segment: OpenSegment, entries: readonly IndexEntry[]): Promise<void> {
    const last = entries.at(-1)
    if (last === undefined) return
    const bytes = Buffer.concat(entries.map(encodeIndexEntry))
    const path = join(this.#directory, indexName(segment.name))
    // At its position, not appended: after a torn write the next one must be in step again.
    await writeAt(path, bytes, segment.indexBytes).then(
      () => {
        segment.indexBytes += bytes.length
        segment.indexedSeq = last.seq
      },
      () => undefined,
    )
  }

  #openDirectory(): void {
    mkdirSync(this.#directory, { recursive: true, mode: 0o700 })
    for (const last of segmentNames(readdirSync(this.#directory)).toReversed()) {
      const continued = this.#openSegment(last.name, last.firstSeq)
      if (continued) break
    }
    this.#opened = true
    this.#moveWaiting()
  }

  /** What was appended before the folder could be opened was numbered as if it were empty. */
  #moveWaiting(): void {
    const offset = this.#seq
    if (offset === 0) return
    for (const block of this.#blocks) {
      block.seq += offset
      if (block.lost !== null) block.lost = { ...block.lost, from: block.lost.from + offset }
      for (let at = block.written; at < block.used; at += frameLength(block.bytes, at)) {
        const header = readUncheckedHeader(block.bytes, at)
        writeFrameHeader(block.bytes, at, { ...header, seq: header.seq + offset })
      }
    }
    this.#end += offset
  }

  /** Takes up the stream at the end of this segment; false when it holds not one frame to tell the last run by. */
  #openSegment(name: string, firstSeq: number): boolean {
    const fd = openSync(join(this.#directory, name), 'r+')
    let kept = false
    try {
      const { size } = fstatSync(fd)
      const index = join(this.#directory, indexName(name))
      const scanner = new SegmentScanner({ fd, firstSeq, size, index })
      while (!scanner.step());
      const scan = scanner.result()
      this.#lastRun = scan.entries.reduce(
        (run, entry) => Math.max(run, entry.run),
        Math.max(this.#lastRun, scan.lastRun),
      )
      if (this.#seq === 0 && this.#segment === null) {
        this.#repairIndex(index, scan)
        if (scan.state === 'torn') ftruncateSync(fd, scan.end - firstSeq)
        // Behind damage nothing can be found again, so nothing is added there: the next segment begins after it.
        kept = scan.state !== 'damaged'
        this.#seq = kept ? scan.end : scan.fileEnd
        if (kept) {
          if (this.#blocks.length === 0) {
            this.#open = scan.open
            this.#openRun = scan.lastRun
          }
          const indexedSeq = scan.entries.at(-1)?.seq ?? firstSeq
          const indexBytes = Math.max(0, scan.entries.length - 1) * indexEntryBytes
          this.#segment = { fd, name, firstSeq, indexedSeq, indexBytes }
        }
      }
      return scan.entries.length > 0
    } finally {
      if (!kept) closeSync(fd)
    }
  }

  #repairIndex(path: string, scan: SegmentScan): void {
    const entries = scan.entries.slice(1)
    if (entries.length === scan.indexed) return
    try {
      writeFileSync(path, Buffer.concat(entries.map(encodeIndexEntry)), { mode: 0o600 })
    } catch {
      // Readers do without: they walk what the index does not tell.
    }
  }

  #fail(error: unknown): void {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown'
    if (this.#failure === null) {
      this.#failure = { code, delayMs: retryMs.first }
      this.#options.onError?.(error)
    }
    this.#isRefused = true
    this.#settleDrained()
  }

  #recover(): void {
    this.#failure = null
    this.#options.onRecovered?.()
  }

  #retryLater(): void {
    const failure = this.#failure
    if (failure === null || this.#closed !== null) return
    this.#wakeIn(failure.delayMs)
    failure.delayMs = Math.min(failure.delayMs * 2, retryMs.longest)
  }

  #settleDrained(): void {
    if (!this.#isRefused && this.#bufferedBytes > this.#pauseBytes() / 2) return
    for (const resolve of this.#drained.splice(0)) resolve()
  }

  /** Those whose block is written, or all that there are. */
  #settleWaiters({ areAllDue }: { areAllDue: boolean }): void {
    this.#settleDrained()
    const waiting = this.#flushed.filter(({ block }) => !areAllDue && this.#blocks.includes(block))
    const settled = this.#flushed.filter((waiter) => !waiting.includes(waiter))
    this.#flushed = waiting
    for (const { block, resolve } of settled) resolve(!this.#blocks.includes(block))
  }
}

function frameLength(bytes: Buffer, offset: number): number {
  return headerBytes + bytes.readUInt32LE(offset)
}

/**
 * Completes the headers of the frames from `from` on; returns the index entries that are due among them, the last one
 * before lying at `indexedSeq`.
 */
function seal(bytes: Buffer, from: number, indexedSeq = 0): IndexEntry[] {
  const entries: IndexEntry[] = []
  let last = indexedSeq
  for (let offset = from; offset < bytes.length; offset += frameLength(bytes, offset)) {
    const header = readUncheckedHeader(bytes, offset)
    writeFrameHeader(bytes, offset, header)
    if (header.seq - last < indexSpacing) continue
    const { seq, at, run, open } = header
    entries.push({ seq, at, run, open })
    last = seq
  }
  return entries
}

function lossOf(block: Block): Loss {
  if (block.account !== null) return block.account
  let loss: Loss = { bytes: 0, frames: 0, from: block.seq + block.written }
  for (let offset = block.written; offset < block.used; offset += frameLength(block.bytes, offset)) {
    const { length } = readUncheckedHeader(block.bytes, offset)
    loss = { ...loss, bytes: loss.bytes + length, frames: loss.frames + 1 }
  }
  return loss
}

function addLoss(a: Loss | null, b: Loss | null): Loss | null {
  if (a === null || b === null) return a ?? b
  return { bytes: a.bytes + b.bytes, frames: a.frames + b.frames, from: Math.min(a.from, b.from) }
}

async function writeAt(path: string, bytes: Buffer, position: number): Promise<void> {
  const file = await open(path, constants.O_WRONLY | constants.O_CREAT, 0o600)
  try {
    await file.write(bytes, 0, bytes.length, position)
  } finally {
    await file.close()
  }
}
