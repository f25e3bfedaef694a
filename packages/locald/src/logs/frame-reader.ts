// Reads the frames of one stream in order, from segment to segment, also while they are being written and removed.
import { open, readFile, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { isErrno } from '../lib/errno.ts'
import {
  decodeIndex,
  headerBytes,
  indexName,
  maxPayloadBytes,
  readFrameHeader,
  type FrameHeader,
  type SegmentName,
} from '../lib/segment-format.ts'
import type { ReadUnwritten } from './log-reader.ts'
import { listSegments } from './segment-timeline.ts'

/** A frame; its payload is only valid until the next `read`. */
export interface Frame {
  readonly header: FrameHeader
  readonly payload: Buffer
}

/** Something between two positions that cannot be read. */
interface Missing {
  readonly from: number
  readonly to: number
  /** Milliseconds since the epoch of what comes before or after. */
  readonly at: number
  readonly reason: 'removed' | 'damaged'
}

type ReadResult =
  | { readonly type: 'frames'; readonly frames: readonly Frame[] }
  | { readonly type: 'missing'; readonly missing: Missing }
  /** Nothing more for now. */
  | { readonly type: 'end' }

interface OpenSegment extends SegmentName {
  readonly file: FileHandle
  /** Known once there is one: from then on nothing is added to this one. */
  next: SegmentName | null
}

/** Holds any frame. */
const largestWindow = maxPayloadBytes + headerBytes
/** Enough for a look at a quiet service, of which there may be hundreds. */
const smallestWindow = 64 * 1024

/** Reads on from where it stands, as often as it is asked to. */
export class FrameReader implements AsyncDisposable {
  readonly #directory: string
  readonly #unwritten: ReadUnwritten | undefined
  #position: number
  #segment: OpenSegment | null = null
  #window: Buffer | null = null
  #windowBytes = smallestWindow
  #lastAt = 0

  /** Begins at the frame at `position`, or at the first frame of all when that is later. */
  constructor(directory: string, position: number, unwritten?: ReadUnwritten) {
    this.#directory = directory
    this.#position = position
    this.#unwritten = unwritten
  }

  async read(): Promise<ReadResult> {
    for (;;) {
      const segment = this.#segment ?? (await this.#openSegment())
      if (segment === null) return await this.#readUnwritten()
      if (segment.firstSeq > this.#position) {
        if (!(await beginsWithGap(segment))) return this.#missing(segment.firstSeq, segment.firstAt, 'removed')
        this.#position = segment.firstSeq
      }
      const frames = await this.#readFrames(segment)
      if (frames === null) return this.#skipDamage(segment)
      if (frames.length > 0) return { type: 'frames', frames }
      if (segment.next !== null) {
        const { size } = await segment.file.stat()
        await this[Symbol.asyncDispose]()
        const end = segment.firstSeq + size
        if (end > this.#position) return this.#missing(end, this.#lastAt, 'damaged')
        continue
      }
      // What was added before the next segment was begun may have come after the look just now: look once more.
      const segments = await listSegments(this.#directory)
      segment.next = segments.find(({ firstSeq }) => firstSeq > segment.firstSeq) ?? null
      if (segment.next !== null) continue
      // Many may wait, and none of them needs a window for that.
      this.#window = null
      return await this.#readUnwritten()
    }
  }

  /** What comes after the files. */
  async #readUnwritten(): Promise<ReadResult> {
    const unwritten = await this.#unwritten?.(this.#position)
    if (unwritten === undefined || unwritten === null || unwritten.frames.length === 0) return { type: 'end' }
    const frames = framesIn(unwritten.frames).filter(({ header }) => header.seq >= this.#position)
    const [first, last] = [frames[0]?.header, frames.at(-1)?.header]
    if (first === undefined || last === undefined) return { type: 'end' }
    if (first.seq > this.#position && first.kind !== 'gap') return this.#missing(first.seq, first.at, 'removed')
    this.#position = last.seq + headerBytes + last.length
    this.#lastAt = last.at
    return { type: 'frames', frames }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const segment = this.#segment
    this.#segment = null
    this.#window = null
    await segment?.file.close()
  }

  async #openSegment(): Promise<OpenSegment | null> {
    for (;;) {
      const segments = await listSegments(this.#directory)
      const found = segments.findLast(({ firstSeq }) => firstSeq <= this.#position) ?? segments[0]
      if (found === undefined) return null
      const file = await open(join(this.#directory, found.name), 'r').catch(nullIfRemoved)
      if (file === null) continue
      const { size } = await file.stat()
      const next = segments.find(({ firstSeq }) => firstSeq > found.firstSeq) ?? null
      if (next !== null && found.firstSeq + size <= this.#position && this.#position < next.firstSeq) {
        // The segments between these two are gone.
        await file.close()
        this.#segment = { ...next, file: await open(join(this.#directory, next.name), 'r'), next: null }
      } else this.#segment = { ...found, file, next }
      return this.#segment
    }
  }

  /** Whole frames from the position on, none at the end; null when there is something else than a frame. */
  async #readFrames(segment: OpenSegment): Promise<Frame[] | null> {
    const window = this.#window ?? Buffer.allocUnsafe(this.#windowBytes)
    this.#window = window
    const { bytesRead } = await segment.file.read(window, 0, window.length, this.#position - segment.firstSeq)
    const frames: Frame[] = []
    for (let offset = 0; offset + headerBytes <= bytesRead;) {
      const header = readFrameHeader(window, offset)
      if (header === null || header.seq !== this.#position) return frames.length > 0 ? frames : null
      const next = offset + headerBytes + header.length
      if (next > bytesRead) break
      frames.push({ header, payload: window.subarray(offset + headerBytes, next) })
      this.#position += next - offset
      this.#lastAt = header.at
      offset = next
    }
    if (bytesRead < largestWindow && bytesRead === window.length) {
      this.#windowBytes = largestWindow
      this.#window = null
      if (frames.length === 0) return await this.#readFrames(segment)
    }
    return frames
  }

  /** Goes on at the next place that the index knows, or else after this segment. */
  async #skipDamage(segment: OpenSegment): Promise<ReadResult> {
    const index = await readFile(join(this.#directory, indexName(segment.name))).catch(() => Buffer.alloc(0))
    const known = decodeIndex(index).find(({ seq }) => seq > this.#position)
    const { size } = await segment.file.stat()
    return this.#missing(Math.min(known?.seq ?? Infinity, segment.firstSeq + size), this.#lastAt, 'damaged')
  }

  #missing(to: number, at: number, reason: Missing['reason']): ReadResult {
    const missing: Missing = { from: this.#position, to, at, reason }
    this.#position = to
    return { type: 'missing', missing }
  }
}

/** Then it says itself what is missing before it. */
async function beginsWithGap({ file }: OpenSegment): Promise<boolean> {
  const bytes = Buffer.alloc(headerBytes)
  const { bytesRead } = await file.read(bytes, 0, headerBytes, 0)
  return bytesRead === headerBytes && readFrameHeader(bytes, 0)?.kind === 'gap'
}

function framesIn(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let offset = 0; offset + headerBytes <= bytes.length;) {
    const header = readFrameHeader(bytes, offset)
    if (header === null) break
    const next = offset + headerBytes + header.length
    frames.push({ header, payload: bytes.subarray(offset + headerBytes, next) })
    offset = next
  }
  return frames
}

function nullIfRemoved(error: unknown): null {
  if (isErrno(error, 'ENOENT')) return null
  throw error
}
