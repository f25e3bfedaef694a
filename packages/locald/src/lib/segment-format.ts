// How a stream of timed chunks lies on disk: frames in segment files, and a sparse index beside each big segment.
//
// A stream is one long sequence of frames, cut into files. A frame's `seq` is its position in that sequence in bytes,
// headers included, so the place of a frame in its file is `seq` minus the `seq` that the file's name begins with,
// and what is missing between two frames is their difference.

/** What a frame holds: bytes as they were written, a JSON record, or the JSON account of bytes that could not be kept. */
export type FrameKind = 'output' | 'record' | 'gap'

/** Where bytes came from; `none` for records and gaps. */
export type FrameStream = 'none' | 'stdout' | 'stderr' | 'pty'

export interface FrameHeader {
  readonly kind: FrameKind
  readonly stream: FrameStream
  readonly run: number
  /** Position of this header in the stream, bytes. */
  readonly seq: number
  /** Milliseconds since the epoch, with a fraction, of the first byte. */
  readonly at: number
  /** Bytes after the header. */
  readonly length: number
  /** Streams that stand within a line before this frame: `openBit` of each, or-ed. */
  readonly open: number
}

/** Bytes of a frame's header. */
export const headerBytes = 28

/** Longest payload of an output frame. */
export const maxOutputBytes = 64 * 1024

/** Longest payload of any frame; a length above it is damage. */
export const maxPayloadBytes = 1024 * 1024

const kinds: readonly FrameKind[] = ['output', 'record', 'gap']
const streams: readonly FrameStream[] = ['none', 'stdout', 'stderr', 'pty']

/** The bit of a stream in `FrameHeader.open`. */
export function openBit(stream: FrameStream): number {
  return streams.indexOf(stream) === 0 ? 0 : 1 << (streams.indexOf(stream) - 1)
}

/** Writes a header at `offset` of `target`. */
export function writeFrameHeader(target: Buffer, offset: number, header: FrameHeader): void {
  target.writeUInt32LE(header.length, offset)
  target[offset + 4] = kinds.indexOf(header.kind) | (header.open << 4)
  target[offset + 5] = streams.indexOf(header.stream)
  target.writeUInt32LE(header.run, offset + 8)
  writeUInt53(target, header.seq, offset + 12)
  target.writeDoubleLE(header.at, offset + 20)
  target.writeUInt16LE(checkOf(target, offset), offset + 6)
}

/** Reads the header at `offset` of `source`, which must hold all of it. Null: this is not a header. */
export function readFrameHeader(source: Buffer, offset: number): FrameHeader | null {
  if (source.readUInt16LE(offset + 6) !== checkOf(source, offset)) return null
  const header = readUncheckedHeader(source, offset)
  return header.length > maxPayloadBytes ? null : header
}

/** Reads a header that is known to be one, for instance because it was written here and lacks only its check. */
export function readUncheckedHeader(source: Buffer, offset: number): FrameHeader {
  const kindAndOpen = source.readUInt8(offset + 4)
  return {
    kind: kinds[kindAndOpen & 15] ?? 'record',
    stream: streams[source.readUInt8(offset + 5)] ?? 'none',
    run: source.readUInt32LE(offset + 8),
    seq: readUInt53(source, offset + 12),
    at: source.readDoubleLE(offset + 20),
    length: source.readUInt32LE(offset),
    open: kindAndOpen >> 4,
  }
}

// FNV-1a over the header without the check itself, folded to 16 bits. Zeros (what a power cut leaves) do not pass.
function checkOf(bytes: Buffer, offset: number): number {
  let hash = 0x811c9dc5
  for (let i = offset; i < offset + headerBytes; i++) {
    if (i === offset + 6) i += 2
    hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  }
  return ((hash >>> 16) ^ hash) & 0xffff
}

function writeUInt53(target: Buffer, value: number, offset: number): void {
  target.writeUInt32LE(value % 2 ** 32, offset)
  target.writeUInt32LE(Math.floor(value / 2 ** 32), offset + 4)
}

function readUInt53(source: Buffer, offset: number): number {
  return source.readUInt32LE(offset) + source.readUInt32LE(offset + 4) * 2 ** 32
}

/** A segment file, as its name tells. */
export interface SegmentName {
  /** The file's name in its folder. */
  readonly name: string
  /** `seq` of its first frame. */
  readonly firstSeq: number
  /** Whole milliseconds since the epoch of its first frame. */
  readonly firstAt: number
}

/** The name of the segment that begins with this frame. Names sort in the order of the stream. */
export function segmentName(firstSeq: number, firstAt: number): string {
  return `${String(firstSeq).padStart(16, '0')}-${String(Math.floor(firstAt))}.log`
}

/** The segments among the names of a folder, in the order of the stream. */
export function segmentNames(names: readonly string[]): SegmentName[] {
  return names
    .flatMap((name) => {
      const match = /^(\d{16})-(\d{1,16})\.log$/.exec(name)
      return match === null ? [] : [{ name, firstSeq: Number(match[1]), firstAt: Number(match[2]) }]
    })
    .sort((a, b) => a.firstSeq - b.firstSeq)
}

/** The index file of a segment file. */
export function indexName(segment: string): string {
  return segment.replace(/\.log$/, '.idx')
}

/** A frame that reading may start at. */
export interface IndexEntry {
  readonly seq: number
  readonly at: number
  readonly run: number
  readonly open: number
}

/** Bytes of an entry in an index file. */
export const indexEntryBytes = 24

/** At least this many bytes lie between two entries of an index; a shorter segment has no index file. */
export const indexSpacing = 64 * 1024

export function encodeIndexEntry(entry: IndexEntry): Buffer {
  const bytes = Buffer.alloc(indexEntryBytes)
  writeUInt53(bytes, entry.seq, 0)
  bytes.writeUInt8(entry.open, 7)
  bytes.writeDoubleLE(entry.at, 8)
  bytes.writeUInt32LE(entry.run, 16)
  bytes.writeUInt32LE(entryCheck(bytes), 20)
  return bytes
}

/** The entries of an index file up to the first that is damaged or torn. */
export function decodeIndex(bytes: Buffer): IndexEntry[] {
  const entries: IndexEntry[] = []
  for (let offset = 0; offset + indexEntryBytes <= bytes.length; offset += indexEntryBytes) {
    const entry = bytes.subarray(offset, offset + indexEntryBytes)
    if (entry.readUInt32LE(20) !== entryCheck(entry)) break
    entries.push({
      seq: entry.readUIntLE(0, 6) + (entry[6] ?? 0) * 2 ** 48,
      at: entry.readDoubleLE(8),
      run: entry.readUInt32LE(16),
      open: entry.readUInt8(7),
    })
  }
  return entries
}

function entryCheck(bytes: Buffer): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < 20; i++) hash = Math.imul(hash ^ (bytes[i] ?? 0), 0x01000193)
  return hash >>> 0
}

/**
 * Which streams stand within a line after a frame, as long as the run stays the same: another run begins with new
 * lines, and so does what comes after a gap. `lastByte` is the last of the payload.
 */
export function openAfter(header: Pick<FrameHeader, 'kind' | 'stream' | 'open'>, lastByte: number | undefined): number {
  if (header.kind === 'gap') return 0
  if (header.kind === 'record' || lastByte === undefined) return header.open
  const bit = openBit(header.stream)
  return lastByte === 0x0a ? header.open & ~bit : header.open | bit
}
