// Finds where the frames of one segment lie: from its index file as far as that goes, then by walking the frames.
import { readFileSync, readSync } from 'node:fs'
import {
  decodeIndex,
  headerBytes,
  indexSpacing,
  maxPayloadBytes,
  openAfter,
  readFrameHeader,
  type FrameHeader,
  type IndexEntry,
} from './segment-format.ts'

/** What is known of a segment once it was scanned. */
export interface SegmentScan {
  /** The first frame, then one every `indexSpacing` bytes or more. Empty: not one whole frame. */
  readonly entries: readonly IndexEntry[]
  /** How many of `entries` are in the index file, counted from the second. */
  readonly indexed: number
  /** Position after the last whole frame. */
  readonly end: number
  /** Position after the last byte of the file. */
  readonly fileEnd: number
  /** `torn`: the last frame is cut short, or still being written. `damaged`: bytes at `end` are no frame. */
  readonly state: 'whole' | 'torn' | 'damaged'
  /** Run of the last frame; 0 without one. */
  readonly lastRun: number
  /** Streams within a line at `end`, see `FrameHeader.open`. */
  readonly open: number
}

/** Where a segment is. */
export interface SegmentFile {
  readonly fd: number
  /** Position of its first byte in the stream. */
  readonly firstSeq: number
  readonly size: number
  /** Absolute path of its index file, which need not exist. */
  readonly index: string
}

/** Walks a segment in slices, so that who has other things to do can do them in between. */
export class SegmentScanner {
  readonly #file: SegmentFile
  readonly #entries: IndexEntry[] = []
  readonly #indexed: number
  #end: number
  #state: 'whole' | 'torn' | 'damaged' = 'whole'
  #lastRun = 0
  #open = 0
  #done = false

  constructor(file: SegmentFile) {
    this.#file = file
    this.#end = file.firstSeq
    const first = this.#headerAt(file.firstSeq)
    const indexed = this.#trusted(readIndexFile(file.index))
    if (first !== null) this.#entries.push(toEntry(first), ...indexed)
    // A damaged beginning takes nothing from what the index knows of the rest.
    else if (indexed.length > 0) this.#entries.push({ seq: file.firstSeq, at: 0, run: 0, open: 0 }, ...indexed)
    this.#indexed = indexed.length
    this.#end = this.#entries.at(-1)?.seq ?? file.firstSeq
  }

  /** Walks up to about 4 MiB more; true once the end is reached. */
  step(): boolean {
    const stop = this.#end + 4 * 1024 * 1024
    while (!this.#done && this.#end < stop) this.#walkWindow()
    return this.#done
  }

  /** What is known so far; all of it once `step` has returned true. */
  result(): SegmentScan {
    return {
      entries: this.#entries,
      indexed: this.#indexed,
      end: this.#end,
      fileEnd: this.#file.firstSeq + this.#file.size,
      state: this.#state,
      lastRun: this.#lastRun,
      open: this.#open,
    }
  }

  /** The entries whose frame is where they say. Entries only ever miss at the end: the newest good one vouches for the rest. */
  #trusted(entries: readonly IndexEntry[]): readonly IndexEntry[] {
    let count = entries.length
    for (; count > 0; count--) {
      const entry = entries[count - 1]
      if (entry === undefined) continue
      const header = this.#headerAt(entry.seq)
      if (header !== null && header.at === entry.at) break
    }
    return entries.slice(0, count)
  }

  #headerAt(seq: number): FrameHeader | null {
    const { fd, firstSeq, size } = this.#file
    const offset = seq - firstSeq
    if (offset < 0 || offset + headerBytes > size) return null
    const bytes = Buffer.allocUnsafe(headerBytes)
    if (readSync(fd, bytes, 0, headerBytes, offset) < headerBytes) return null
    const header = readFrameHeader(bytes, 0)
    return header?.seq === seq ? header : null
  }

  #walkWindow(): void {
    const { fd, firstSeq, size } = this.#file
    const left = size - (this.#end - firstSeq)
    const window = Buffer.allocUnsafe(Math.min(left, maxPayloadBytes + headerBytes))
    const length = readSync(fd, window, 0, window.length, this.#end - firstSeq)
    let offset = 0
    while (offset + headerBytes <= length) {
      const header = readFrameHeader(window, offset)
      if (header === null || header.seq !== this.#end) return this.#finish('damaged')
      const next = offset + headerBytes + header.length
      if (next > length) break
      this.#note(header, header.length === 0 ? undefined : window[next - 1])
      offset = next
    }
    // A window that holds no whole frame reaches to the end of the file: it is as long as the longest frame.
    if (length === left) this.#finish(offset === length ? 'whole' : 'torn')
    else if (offset === 0) this.#finish('torn')
  }

  #note(header: FrameHeader, lastByte: number | undefined): void {
    const last = this.#entries.at(-1)
    if (last === undefined || header.seq - last.seq >= indexSpacing) this.#entries.push(toEntry(header))
    this.#end = header.seq + headerBytes + header.length
    this.#lastRun = header.run
    this.#open = openAfter(header, lastByte)
  }

  #finish(state: 'whole' | 'torn' | 'damaged'): void {
    this.#state = state
    this.#done = true
  }
}

function toEntry(header: FrameHeader): IndexEntry {
  return { seq: header.seq, at: header.at, run: header.run, open: header.open }
}

/** An index that cannot be read is as good as none: it only saves walking. */
function readIndexFile(path: string): readonly IndexEntry[] {
  try {
    return decodeIndex(readFileSync(path))
  } catch {
    return []
  }
}
