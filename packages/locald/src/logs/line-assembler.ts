// Makes lines of the chunks of one stream: where a chunk ends says nothing about where a line does.
import { isAscii } from 'node:buffer'
import type { LogLine } from '@locald/protocol'
import { headerBytes, type FrameHeader, type FrameStream } from '../lib/segment-format.ts'
import { gapText, parseRecord, recordText } from './log-record.ts'
import type { LineSearch } from './line-search.ts'
import type { OpenLine, ReadPosition } from './read-position.ts'

/** What lines of one chunk have in common. */
interface LineOrigin {
  /** Of the source that they come from. */
  readonly label: string
  /** Milliseconds since the epoch of the chunk that completed them. */
  readonly at: number
  /** That time, or a later one that came before it. */
  readonly order: number
  readonly stream: LogLine['stream']
  readonly run: number
  /** Where reading goes on behind them, but for the rest of the chunk. */
  readonly after: ReadPosition
}

/** A line, and where it leaves the reading. There are millions of them: what is seldom asked for is made when it is. */
export class AssembledLine {
  readonly origin: LineOrigin
  readonly text: string
  /** It goes on a line of which a part was given out before. */
  readonly continues: boolean
  /** Grows from line to line; the same whenever the same line is assembled. */
  readonly end: number
  /** Where the rest of its chunk begins; -1: there is none. */
  readonly rest: number

  constructor(origin: LineOrigin, text: string, end: number, rest = -1, continues = false) {
    this.origin = origin
    this.text = text
    this.continues = continues
    this.end = end
    this.rest = rest
  }

  /** Where reading goes on behind it. */
  after(): ReadPosition {
    const { after, stream, run } = this.origin
    if (this.rest === -1 || stream === 'locald') return after
    const rest = { stream, run, start: this.rest, continued: false }
    return { position: after.position, open: [...after.open, rest] }
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
  /** With that chunk, what is pending did not match. */
  unmatched: number
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
        unmatched: -1,
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

  /** The lines that are not complete and have something to show, as far as is known. */
  parts(): readonly LinePart[] {
    return this.#states
      .filter(({ pending, chunk, unmatched }) => pending.wholeCharacters() > 0 && unmatched !== chunk)
      .map(({ stream, line, chunk }) => ({ stream, line, chunk }))
  }

  /**
   * Gives out the lines that are not complete, as far as they are there. Their rest follows as lines that continue. What
   * does not match stays where it is: it may match with its rest.
   */
  giveParts(isDue: (stream: FrameStream) => boolean = () => true): readonly AssembledLine[] {
    this.#lines = []
    for (const [index, state] of this.#states.entries()) {
      const length = state.pending.wholeCharacters()
      if (length === 0 || !isDue(state.stream)) continue
      if (this.#search?.matches(state.pending.text(length)) === false) {
        state.unmatched = state.chunk
        continue
      }
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
    const after = { position: header.seq, open: this.#openLines(state) }
    const origin = { label: this.#label, at, order: this.#order, stream, run, after }
    const give = (shown: string, next: number): void => {
      this.#lines.push(new AssembledLine(origin, shown, base + next, base + next))
    }
    if (this.#search === undefined) eachLine(bytes, give)
    else eachMatch(bytes, this.#search, give)
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

  #giveRecord({ at, run, text, end }: { at: number; run: number; text: string; end: number }): void {
    this.#push({ at, run, stream: 'locald', after: this.position() }, { text, end, continues: false })
  }

  #give(state: StreamState, { at, run, text, end, position, continued }: Given): void {
    const { stream, continued: continues } = state
    state.continued = continued
    const open = [...this.#openLines(state), openLine(state, run)]
    this.#push({ at, run, stream, after: { position, open } }, { text, end, continues })
  }

  #push(origin: Omit<LineOrigin, 'label' | 'order'>, line: { text: string; end: number; continues: boolean }): void {
    const { at, run, stream } = origin
    const { text, end, continues } = line
    this.#order = Math.max(this.#order, at)
    if (!this.#wants(at, run, stream) || this.#search?.matches(text) === false) return
    this.#lines.push(new AssembledLine({ ...origin, label: this.#label, order: this.#order }, text, end, -1, continues))
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

/** Calls `give` with each line, and with where the next one begins. */
function eachLine(bytes: Buffer, give: (shown: string, next: number) => void): void {
  const isPlain = isAscii(bytes)
  const text = bytes.toString(isPlain ? 'latin1' : 'utf8')
  const hasReturns = text.includes('\r')
  let next = 0
  for (let from = 0; from < text.length;) {
    const to = text.indexOf('\n', from)
    // As bytes, of which other characters than those of ASCII have several.
    next = isPlain ? to + 1 : bytes.indexOf(10, next) + 1
    const line = text.slice(from, to)
    give(hasReturns ? afterReturns(line) : line, next)
    from = to + 1
  }
}

/** The same for the lines that match. Each is cut out of the bytes, so that it does not hold on to all the others. */
function eachMatch(bytes: Buffer, search: LineSearch, give: (shown: string, next: number) => void): void {
  const candidate = search.candidates(bytes)
  for (let from = candidate(0); from < bytes.length; from = candidate(from)) {
    const to = bytes.indexOf(10, from)
    const shown = afterReturns(bytes.toString('utf8', from, to))
    from = to + 1
    if (search.matches(shown)) give(shown, from)
    if (from === bytes.length) return
  }
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

  /** The first bytes. */
  text(length: number): string {
    return this.#bytes.toString('utf8', 0, length)
  }

  /** The first bytes as text, which are then gone. */
  take(length: number): string {
    const text = this.text(length)
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
