// Makes lines of the chunks of one stream: where a chunk ends says nothing about where a line does.
import { isAscii } from 'node:buffer'
import type { LogLine } from '@locald/protocol'
import { headerBytes, type FrameHeader, type FrameStream } from '../lib/segment-format.ts'
import { gapText, parseRecord, recordText } from './log-record.ts'
import type { LineSearch } from './line-search.ts'
import type { OpenLine, ReadPosition } from './read-position.ts'

interface LineFields {
  readonly label: string
  readonly at: number
  readonly order: number
  readonly stream: LogLine['stream']
  readonly run: number
  readonly text: string
  readonly continues: boolean
  readonly end: number
  readonly position: number
  readonly open: readonly OpenLine[]
  readonly rest: number | null
}

/** A line, and where it leaves the reading. There are millions of them: what is seldom asked for is made when it is. */
export class AssembledLine {
  /** Of the source that it comes from. */
  readonly label: string
  /** Milliseconds since the epoch of the chunk that completed it. */
  readonly at: number
  /** Its time, or a later one that came before it. */
  readonly order: number
  readonly stream: LogLine['stream']
  readonly run: number
  readonly text: string
  /** It goes on a line of which a part was given out before. */
  readonly continues: boolean
  /** Grows from line to line; the same whenever the same line is assembled. */
  readonly end: number
  readonly #position: number
  readonly #open: readonly OpenLine[]
  readonly #rest: number | null

  constructor(fields: LineFields) {
    this.label = fields.label
    this.at = fields.at
    this.order = fields.order
    this.stream = fields.stream
    this.run = fields.run
    this.text = fields.text
    this.continues = fields.continues
    this.end = fields.end
    this.#position = fields.position
    this.#open = fields.open
    this.#rest = fields.rest
  }

  /** Where reading goes on behind it. */
  after(): ReadPosition {
    const [position, start, stream] = [this.#position, this.#rest, this.stream]
    if (start === null || stream === 'locald') return { position, open: this.#open }
    return { position, open: [...this.#open, { stream, run: this.run, start, continued: false }] }
  }
}

export interface AssemblerOptions {
  readonly from: ReadPosition
  /** Given to each line. Default "". */
  readonly label?: string
  /** Default 64 KiB. */
  readonly maxLineBytes?: number
  /** Lines of this time, run and stream are wanted. Default: all are. */
  readonly wants?: (at: number, run: number, stream: LogLine['stream']) => boolean
  /** Of those, only lines that match. */
  readonly search?: LineSearch
}

const streams = ['pty', 'stdout', 'stderr'] as const
type OutputStream = (typeof streams)[number]

/** A line that is not complete. */
export interface LinePart {
  readonly stream: FrameStream
  /** Another number for each line of the stream. */
  readonly line: number
  /** Another number after each chunk of the stream. */
  readonly chunk: number
}

/** The line that a stream stands in. */
interface StreamState {
  readonly stream: OutputStream
  readonly pending: PendingBytes
  /** While nothing is pending: the first byte that is wanted, or any place before it. */
  next: number
  continued: boolean
  /** A carriage return came after the pending bytes: any other byte than a line feed starts the line anew. */
  returned: boolean
  /** Null: the stream stands in no line of any run. */
  run: number | null
  at: number
  line: number
  chunk: number
}

/** A line on its way out of `give`. */
interface Given {
  readonly at: number
  readonly run: number
  readonly text: string
  readonly end: number
  /** Where the reading stands, but for the lines that are open. */
  readonly position: number
  /** The rest of the line is still to come. */
  readonly continued: boolean
}

/**
 * Lines end with a line feed, with carriage returns before it or without. A carriage return within a line starts it
 * anew, as on a terminal: what is given out is what comes after the last. A line of more than `maxLineBytes` is given
 * out in pieces. Invalid UTF-8 becomes U+FFFD; a character that is cut by the end of a chunk does not.
 */
export class LineAssembler {
  readonly #label: string
  readonly #maxLineBytes: number
  readonly #wants: NonNullable<AssemblerOptions['wants']>
  readonly #search: LineSearch | undefined
  readonly #states: readonly StreamState[]
  #consumed: number
  #order = -Infinity
  #lines: AssembledLine[] = []

  constructor({ from, label = '', maxLineBytes = 64 * 1024, wants = () => true, search }: AssemblerOptions) {
    this.#label = label
    this.#maxLineBytes = maxLineBytes
    this.#wants = wants
    this.#search = search
    this.#consumed = from.position
    this.#states = streams.map((stream) => {
      const open = from.open.find((line) => line.stream === stream)
      return {
        stream,
        pending: new PendingBytes(),
        next: open?.start ?? from.position,
        continued: open?.continued ?? false,
        returned: false,
        run: open?.run ?? null,
        at: 0,
        line: 0,
        chunk: 0,
      }
    })
  }

  /** Takes a frame; `payload` is not kept. */
  add(header: FrameHeader, payload: Buffer): readonly AssembledLine[] {
    this.#lines = []
    this.#order = Math.max(this.#order, header.at)
    const isNew = header.seq >= this.#consumed
    if (header.kind === 'output') {
      if (isNew) this.#endLines(header.seq, (run) => run !== header.run)
      const state = this.#states.find(({ stream }) => stream === header.stream)
      if (state !== undefined) this.#addOutput(state, header, payload)
    } else if (isNew) this.#addRecord(header, payload)
    this.#consumed = Math.max(this.#consumed, header.seq + headerBytes + header.length)
    return this.#lines
  }

  /** Takes note that what lies from `from` up to `to` cannot be read. */
  skip(from: number, to: number, at: number, text: string): readonly AssembledLine[] {
    this.#lines = []
    if (to > this.#consumed) {
      this.#endLines(from, () => true)
      this.#consumed = to
      this.#giveRecord({ at, run: 0, text, end: from + streams.length })
    }
    return this.#lines
  }

  /** The lines that are not complete and have something to show. */
  parts(): readonly LinePart[] {
    return this.#states
      .filter(({ pending }) => pending.wholeCharacters() > 0)
      .map(({ stream, line, chunk }) => ({ stream, line, chunk }))
  }

  /** Gives out the lines that are not complete, as far as they are there. Their rest follows as lines that continue. */
  giveParts(isDue: (stream: FrameStream) => boolean = () => true): readonly AssembledLine[] {
    this.#lines = []
    for (const [index, state] of this.#states.entries()) {
      const length = state.pending.wholeCharacters()
      if (length === 0 || !isDue(state.stream)) continue
      const text = state.pending.take(length)
      if (state.pending.length === 0) this.#startAnew(state, this.#consumed)
      const [position, end] = [this.#consumed, this.#consumed + index]
      this.#give(state, { at: state.at, run: state.run ?? 0, text, end, position, continued: true })
    }
    return this.#lines
  }

  /** Where reading stands once all lines were taken. */
  position(): ReadPosition {
    return { position: this.#consumed, open: this.#openLines() }
  }

  #addOutput(state: StreamState, header: FrameHeader, payload: Buffer): void {
    const base = header.seq + headerBytes
    let from = 0
    if (state.pending.length === 0 && state.next > base) from = Math.min(state.next - base, payload.length)
    if (from === payload.length) return
    state.run = header.run
    state.at = header.at
    state.chunk = header.seq
    const wholeLines = payload.length <= this.#maxLineBytes
    while (from < payload.length) {
      const last = wholeLines && state.pending.length === 0 && !state.continued ? payload.lastIndexOf(10) : -1
      if (last >= from) {
        this.#giveWholeLines(state, header, payload, { from, to: last + 1 })
        from = last + 1
        continue
      }
      const lineFeed = payload.indexOf(10, from)
      const to = lineFeed === -1 ? payload.length : lineFeed
      this.#addPart(state, header, payload, { from, to })
      if (lineFeed !== -1) this.#endLine(state, header, base + to + 1)
      from = to + 1
    }
  }

  /** The quick way, for lines that begin and end in one chunk, which nearly all do. */
  #giveWholeLines(state: StreamState, header: FrameHeader, payload: Buffer, part: { from: number; to: number }): void {
    const bytes = payload.subarray(part.from, part.to)
    const base = header.seq + headerBytes + part.from
    state.next = base + bytes.length
    state.line++
    state.returned = false
    const { at, run } = header
    const { stream } = state
    if (!this.#wants(at, run, stream)) return
    const isPlain = isAscii(bytes)
    const text = bytes.toString(isPlain ? 'latin1' : 'utf8')
    const search = this.#search
    const canSkip = search !== undefined && isPlain && !text.includes('\u001b')
    if (search !== undefined && !canSkip && !search.mayMatch(text)) return
    const [label, order, position, open] = [this.#label, this.#order, header.seq, this.#openLines(state)]
    const hasReturns = text.includes('\r')
    let end = 0
    for (let from = 0; from < text.length;) {
      if (canSkip) from = search.next(text, from)
      if (from === text.length) return
      const to = text.indexOf('\n', from)
      // As bytes, of which other characters than those of ASCII have several.
      end = isPlain ? to + 1 : bytes.indexOf(10, end) + 1
      const line = text.slice(from, to)
      from = to + 1
      const shown = hasReturns ? afterReturns(line) : line
      if (search?.matches(shown) === false) continue
      const next = base + end
      const given = {
        label,
        at,
        order,
        stream,
        run,
        text: shown,
        continues: false,
        end: next,
        position,
        open,
        rest: next,
      }
      this.#lines.push(new AssembledLine(given))
    }
  }

  /** Adds bytes without a line feed to the line that the stream stands in. */
  #addPart(state: StreamState, header: FrameHeader, payload: Buffer, part: { from: number; to: number }): void {
    const base = header.seq + headerBytes
    let from = part.from
    while (from < part.to) {
      if (payload[from] === 0x0d) {
        state.returned = true
        from++
        if (state.pending.length === 0) state.next = base + from
        continue
      }
      if (state.returned || state.pending.length === 0) this.#startAnew(state, base + from)
      const nextReturn = payload.subarray(from, part.to).indexOf(0x0d)
      const room = this.#maxLineBytes + 1 - state.pending.length
      const to = Math.min(nextReturn === -1 ? part.to : from + nextReturn, from + room)
      state.pending.add(payload.subarray(from, to), base + from)
      from = to
      if (state.pending.length > this.#maxLineBytes) this.#cut(state, header, base + from)
    }
  }

  #startAnew(state: StreamState, next: number): void {
    state.pending.clear()
    state.returned = false
    state.next = next
  }

  /** Gives out the first piece of a line that is too long. */
  #cut(state: StreamState, { at, run, seq }: FrameHeader, end: number): void {
    const text = state.pending.take(state.pending.characterStart(this.#maxLineBytes))
    this.#give(state, { at, run, text, end, position: seq, continued: true })
  }

  #endLine(state: StreamState, { at, run, seq }: FrameHeader, end: number): void {
    const text = state.pending.take(state.pending.length)
    this.#startAnew(state, end)
    state.line++
    if (text === '' && state.continued) state.continued = false
    else this.#give(state, { at, run, text, end, position: seq, continued: false })
  }

  /** Ends lines that no line feed will end any more, before the frame at `seq`. */
  #endLines(seq: number, isOver: (run: number) => boolean): void {
    for (const [index, state] of this.#states.entries()) {
      const { at, run } = state
      if (run === null || !isOver(run)) continue
      const text = state.pending.take(state.pending.length)
      this.#startAnew(state, Math.max(seq, state.next))
      state.run = null
      if (text === '') state.continued = false
      else this.#give(state, { at, run, text, end: seq + index, position: seq, continued: false })
    }
  }

  #addRecord(header: FrameHeader, payload: Buffer): void {
    const record = parseRecord(payload)
    const { seq, run, at } = header
    if (header.kind === 'gap') this.#endLines(seq, () => true)
    else if (record['type'] === 'run.exited' || record['type'] === 'run.lost')
      this.#endLines(seq, (ended) => ended === run)
    this.#consumed = seq + headerBytes + header.length
    const text = header.kind === 'gap' ? gapText(record) : recordText(record)
    this.#giveRecord({ at, run, text, end: seq + streams.length })
  }

  #giveRecord(line: { at: number; run: number; text: string; end: number }): void {
    this.#push({ ...line, ...this.position(), stream: 'locald', continues: false, rest: null })
  }

  #give(state: StreamState, { position, continued, ...line }: Given): void {
    const { stream, continued: continues } = state
    state.continued = continued
    const open = [...this.#openLines(state), openLine(state, line.run)]
    this.#push({ ...line, stream, continues, position, open, rest: null })
  }

  #push(line: Omit<LineFields, 'label' | 'order'>): void {
    this.#order = Math.max(this.#order, line.at)
    if (!this.#wants(line.at, line.run, line.stream) || this.#search?.matches(line.text) === false) return
    this.#lines.push(new AssembledLine({ ...line, label: this.#label, order: this.#order }))
  }

  #openLines(except?: StreamState): OpenLine[] {
    return this.#states.flatMap((state) => {
      const isOpen = state.pending.length > 0 || state.continued || state.next > this.#consumed
      return isOpen && state !== except ? [openLine(state, state.run ?? 0)] : []
    })
  }
}

function openLine({ stream, pending, next, continued }: StreamState, run: number): OpenLine {
  return { stream, run, start: pending.length > 0 ? pending.start : next, continued }
}

/** Of a line without its line feed: what comes after the last carriage return that has anything after it. */
function afterReturns(line: string): string {
  let to = line.length
  while (to > 0 && line.charCodeAt(to - 1) === 0x0d) to--
  return line.slice(to === 0 ? 0 : line.lastIndexOf('\r', to - 1) + 1, to)
}

/** Bytes of one line, without carriage returns, and where they come from. */
class PendingBytes {
  #bytes = Buffer.alloc(0)
  #length = 0
  /** Where bytes that lie side by side here lie side by side in the stream, too. */
  #pieces: { readonly index: number; readonly position: number }[] = []

  get length(): number {
    return this.#length
  }

  /** Position in the stream of the first byte. */
  get start(): number {
    return this.#pieces[0]?.position ?? 0
  }

  add(bytes: Buffer, position: number): void {
    if (this.#length + bytes.length > this.#bytes.length) {
      const larger = Buffer.allocUnsafe(Math.max(256, (this.#length + bytes.length) * 2))
      this.#bytes.copy(larger, 0, 0, this.#length)
      this.#bytes = larger
    }
    bytes.copy(this.#bytes, this.#length)
    this.#pieces.push({ index: this.#length, position })
    this.#length += bytes.length
  }

  clear(): void {
    this.#length = 0
    this.#pieces = []
  }

  /** The first bytes as text, which are then gone. */
  take(length: number): string {
    const text = this.#bytes.toString('utf8', 0, length)
    this.#bytes.copyWithin(0, length, this.#length)
    this.#length -= length
    const first = this.#pieces.findLastIndex(({ index }) => index <= length)
    this.#pieces = this.#pieces
      .slice(Math.max(0, first))
      .map(({ index, position }) =>
        index < length ? { index: 0, position: position + length - index } : { index: index - length, position },
      )
    if (this.#length === 0) this.#pieces = []
    return text
  }

  /** The largest position up to `position` that is not within a character. */
  characterStart(position: number): number {
    for (let at = position; at > 0 && at > position - 4; at--) {
      if (((this.#bytes[at] ?? 0) & 0xc0) !== 0x80) return at
    }
    return position
  }

  /** How many bytes there are without a last character that is not complete. */
  wholeCharacters(): number {
    for (let back = 1; back <= 3 && back <= this.#length; back++) {
      const byte = this.#bytes[this.#length - back] ?? 0
      if (byte < 0x80) break
      if (byte < 0xc0) continue
      const needed = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2
      return byte < 0xf8 && needed > back ? this.#length - back : this.#length
    }
    return this.#length
  }
}
