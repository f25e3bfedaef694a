// Everything that happened, in order: events for whoever listens, with the changes of state behind them for the next daemon.
// A snapshot plus the entries after it give the state; the entries are what the event API serves.
import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'

/** What a journal can hold: anything with the number and the time that it was given. */
export interface JournalEvent {
  readonly seq: number
  readonly at: string
}

interface Entry<Event, Change> {
  readonly seq: number
  readonly event?: Event
  readonly changes?: readonly Change[]
}

export interface JournalOptions {
  readonly directory: string
  /** Bytes of entries after which a snapshot takes their place. Default 8 MiB. */
  readonly compactBytes?: number
  /** Events kept in memory for listeners that come back. Default 2000. */
  readonly eventsKept?: number
  readonly now: () => Date
  /** Something of the journal cannot be read or written: it goes on without. */
  readonly onTrouble: (message: string, error?: unknown) => void
}

/** What an earlier journal left: a state as it was stored, and the changes since. */
export interface Recovered<Change> {
  readonly stored: unknown
  readonly changes: readonly Change[]
}

const format = 1
const defaultCompactBytes = 8 * 1024 * 1024
const defaultEventsKept = 2000

/** Writes synchronously, so that what is recorded survives this process; not a power failure. One writer at a time. */
export class Journal<Event extends JournalEvent, Change> implements Disposable {
  readonly #options: JournalOptions
  readonly #store: () => unknown
  readonly #listeners = new Set<(event: Event) => void>()
  readonly #recent: Event[]
  #seq: number
  #fd: number
  #bytes: number
  /** Entries could not be written: only a snapshot can make the file true again. */
  #isBehind = false

  private constructor(options: JournalOptions, store: () => unknown, read: ReadJournal<Event, Change>) {
    this.#options = options
    this.#store = store
    this.#seq = read.seq
    this.#recent = [...read.events]
    this.#fd = openSync(entriesPath(options.directory), 'a', 0o600)
    ftruncateSync(this.#fd, read.bytes)
    this.#bytes = read.bytes
    if (read.isDamaged) this.#compact() // what could be read must not depend on the file that was set aside
  }

  /**
   * Opens the journal in this directory. `restore` gets what is left of an earlier one and is called before anything is
   * appended; `store` gives the whole state whenever a snapshot is due. Damaged files are set aside, never fatal.
   */
  static open<Event extends JournalEvent, Change>(
    options: JournalOptions,
    restore: (recovered: Recovered<Change>) => void,
    store: () => unknown,
  ): Journal<Event, Change> {
    mkdirSync(options.directory, { recursive: true, mode: 0o700 })
    const read = readJournal<Event, Change>(options)
    restore({ stored: read.stored, changes: read.changes })
    return new Journal(options, store, read)
  }

  /** Number of the last entry. */
  get seq(): number {
    return this.#seq
  }

  /** Stores the changes and the event, numbered and dated, then tells the listeners. */
  append(make: ((seq: number, at: string) => Event) | null, changes: readonly Change[]): void {
    const seq = this.#seq + 1
    this.#seq = seq
    const event = make?.(seq, this.#options.now().toISOString())
    this.#write({ seq, ...(event === undefined ? {} : { event }), ...(changes.length === 0 ? {} : { changes }) })
    if (event === undefined) return
    this.#recent.push(event)
    if (this.#recent.length > (this.#options.eventsKept ?? defaultEventsKept)) this.#recent.shift()
    for (const listener of this.#listeners) listener(event)
  }

  /**
   * Calls `listener` with every event from now on and returns, in the same step, those after `after` that came before: null
   * when they are not all there any more, or when `after` is null.
   */
  subscribe(
    after: number | null,
    listener: (event: Event) => void,
  ): { readonly missed: readonly Event[] | null; readonly stop: () => void } {
    this.#listeners.add(listener)
    const stop = (): void => void this.#listeners.delete(listener)
    const oldest = this.#recent[0]?.seq ?? this.#seq + 1
    const isKnown = after !== null && after <= this.#seq && (after >= oldest - 1 || after === this.#seq)
    return { missed: isKnown ? this.#recent.filter((event) => event.seq > after) : null, stop }
  }

  [Symbol.dispose](): void {
    if (this.#fd < 0) return
    closeSync(this.#fd)
    this.#fd = -1
    this.#listeners.clear()
  }

  #write(entry: Entry<Event, Change>): void {
    if (this.#fd < 0) return
    if (this.#isBehind || this.#bytes > (this.#options.compactBytes ?? defaultCompactBytes)) {
      if (this.#compact()) return
    }
    const line = Buffer.from(`${JSON.stringify(entry)}\n`)
    try {
      writeAll(this.#fd, line)
      this.#bytes += line.length
    } catch (error) {
      if (!this.#isBehind)
        this.#options.onTrouble('Cannot write the journal; what happens now is lost to a new daemon', error)
      this.#isBehind = true
    }
  }

  /** Stores everything up to now, the entry at hand included, and starts a new file of entries. */
  #compact(): boolean {
    const { directory, onTrouble } = this.#options
    const temporary = `${snapshotPath(directory)}.new`
    try {
      writeFileSync(temporary, JSON.stringify({ format, seq: this.#seq, stored: this.#store() }), { mode: 0o600 })
      renameSync(temporary, snapshotPath(directory))
      ftruncateSync(this.#fd, 0)
      this.#bytes = 0
      this.#isBehind = false
      return true
    } catch (error) {
      if (!this.#isBehind) onTrouble('Cannot write a snapshot of the journal', error)
      return false
    }
  }
}

interface ReadJournal<Event, Change> extends Recovered<Change> {
  readonly seq: number
  readonly events: readonly Event[]
  /** Length of the entries that are whole. */
  readonly bytes: number
  readonly isDamaged: boolean
}

function readJournal<Event extends JournalEvent, Change>(options: JournalOptions): ReadJournal<Event, Change> {
  const snapshot = readSnapshot(options)
  const path = entriesPath(options.directory)
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const events: Event[] = []
  const changes: Change[] = []
  let seq = snapshot.seq
  let bytes = 0
  let isDamaged = snapshot.isDamaged
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = parseEntry<Event, Change>(line)
    if (entry === null) {
      setAside(path, options)
      bytes = 0
      isDamaged = true
      break
    }
    bytes += Buffer.byteLength(line) + 1
    if (entry.event !== undefined) events.push(entry.event)
    if (entry.seq <= snapshot.seq) continue
    seq = entry.seq
    changes.push(...(entry.changes ?? []))
  }
  const kept = events.slice(-(options.eventsKept ?? defaultEventsKept))
  return { stored: snapshot.stored, changes, seq, events: kept, bytes, isDamaged }
}

function readSnapshot(options: JournalOptions): {
  readonly seq: number
  readonly stored: unknown
  readonly isDamaged: boolean
} {
  const path = snapshotPath(options.directory)
  if (!existsSync(path)) return { seq: 0, stored: null, isDamaged: false }
  const parsed = parseJson(readFileSync(path, 'utf8'))
  if (isRecord(parsed) && parsed['format'] === format && typeof parsed['seq'] === 'number') {
    return { seq: parsed['seq'], stored: parsed['stored'], isDamaged: false }
  }
  setAside(path, options)
  return { seq: 0, stored: null, isDamaged: true }
}

function parseEntry<Event, Change>(line: string): Entry<Event, Change> | null {
  const parsed = parseJson(line)
  // Written by this class alone; a damaged line is not JSON or has lost its number.
  return isRecord(parsed) && typeof parsed['seq'] === 'number' ? (parsed as unknown as Entry<Event, Change>) : null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined // the caller sets the file aside
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function setAside(path: string, options: JournalOptions): void {
  const aside = `${path}.damaged-${options.now().getTime()}`
  renameSync(path, aside)
  options.onTrouble(`The journal was damaged; what could not be read is kept in ${aside}`)
}

function writeAll(fd: number, bytes: Buffer): void {
  const before = fstatSync(fd).size
  try {
    for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written)
  } catch (error) {
    ftruncateSync(fd, before) // half an entry would damage those after it
    throw error
  }
}

function entriesPath(directory: string): string {
  return join(directory, 'entries.jsonl')
}

function snapshotPath(directory: string): string {
  return join(directory, 'snapshot.json')
}
