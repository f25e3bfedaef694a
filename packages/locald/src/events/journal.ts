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
  rmSync,
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
  /** The next one belongs to it: without that, this one counts for nothing. */
  readonly more?: true
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
/** Between two tries to write what a full disk has refused. */
const retryMs = 1000

/** Writes synchronously, so that what is recorded survives this process; not a power failure. One writer at a time. */
export class Journal<Event extends JournalEvent, Change> implements Disposable {
  readonly #options: JournalOptions
  readonly #state: () => unknown
  readonly #listeners = new Set<(event: Event) => void>()
  readonly #recent: Event[]
  /** Of the batch that is being made; null outside of one. */
  #batch: Entry<Event, Change>[] | null = null
  #seq: number
  #fd: number
  #bytes: number
  /** Entries could not be written: only a snapshot can make the file true again, which is tried until it succeeds. */
  #isBehind = false
  #retry: NodeJS.Timeout | null = null

  private constructor(options: JournalOptions, state: () => unknown, read: ReadJournal<Event, Change>) {
    this.#options = options
    this.#state = state
    this.#seq = read.seq
    this.#recent = [...read.events]
    this.#fd = openSync(entriesPath(options.directory), 'a', 0o600)
    ftruncateSync(this.#fd, read.bytes)
    this.#bytes = read.bytes
    if (read.isDamaged) this.#compact([]) // what could be read must not depend on the file that was set aside
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

  /** The latest events, oldest first; also those that an earlier journal left. */
  get recent(): readonly Event[] {
    return this.#recent
  }

  /** Stores the changes and the event, numbered and dated, then tells the listeners; within a batch, at its end. */
  append(make: ((seq: number, at: string) => Event) | null, changes: readonly Change[]): void {
    const seq = this.#seq + 1
    this.#seq = seq
    const event = make?.(seq, this.#options.now().toISOString())
    const entry = { seq, ...(event === undefined ? {} : { event }), ...(changes.length === 0 ? {} : { changes }) }
    if (this.#batch === null) this.#store([entry])
    else this.#batch.push(entry)
  }

  /** Everything that `work` appends is stored as one: a journal read later holds all of it or nothing. Not nested. */
  batch(work: () => void): void {
    const entries: Entry<Event, Change>[] = []
    this.#batch = entries
    try {
      work()
    } finally {
      this.#batch = null
      if (entries.length > 0) this.#store(entries)
    }
  }

  #store(entries: readonly Entry<Event, Change>[]): void {
    this.#write(entries)
    const events = entries.flatMap(({ event }) => event ?? [])
    this.#recent.push(...events)
    const surplus = this.#recent.length - (this.#options.eventsKept ?? defaultEventsKept)
    if (surplus > 0) this.#recent.splice(0, surplus)
    for (const event of events) for (const listener of this.#listeners) listener(event)
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
    if (this.#retry !== null) clearTimeout(this.#retry)
    closeSync(this.#fd)
    this.#fd = -1
    this.#listeners.clear()
  }

  #write(entries: readonly Entry<Event, Change>[]): void {
    if (this.#fd < 0) return
    if (this.#isBehind || this.#bytes > (this.#options.compactBytes ?? defaultCompactBytes)) {
      if (this.#compact(entries)) return
    }
    const lines = linesOf(entries)
    try {
      writeAll(this.#fd, lines)
      this.#bytes += lines.length
    } catch (error) {
      if (!this.#isBehind)
        this.#options.onTrouble('Cannot write the journal; what happens now is lost to a new daemon', error)
      this.#isBehind = true
      this.#retryLater()
    }
  }

  /** What happened last may be all that happens for days, and this daemon may end any moment. */
  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null
      if (this.#isBehind && !this.#compact([])) this.#retryLater()
    }, retryMs)
  }

  /**
   * Stores everything up to now, the entries at hand included, and starts a new file of entries. The one before it is kept
   * for the events in it: who comes back for what it missed does not know of snapshots.
   */
  #compact(entries: readonly Entry<Event, Change>[]): boolean {
    const { directory, onTrouble } = this.#options
    const temporary = `${snapshotPath(directory)}.new`
    try {
      writeFileSync(temporary, JSON.stringify({ format, seq: this.#seq, stored: this.#state() }), { mode: 0o600 })
      renameSync(temporary, snapshotPath(directory))
      this.#bytes = 0
      this.#startFile(entries, this.#isBehind)
      this.#isBehind = false
      return true
    } catch (error) {
      if (!this.#isBehind) onTrouble('Cannot write a snapshot of the journal', error)
      return false
    }
  }

  /** After a snapshot nothing of the old file is needed but its events; without them listeners get a snapshot. */
  #startFile(entries: readonly Entry<Event, Change>[], isOldIncomplete: boolean): void {
    const { directory, onTrouble } = this.#options
    try {
      if (isOldIncomplete) {
        rmSync(previousPath(directory), { force: true })
        ftruncateSync(this.#fd, 0)
        return
      }
      writeAll(this.#fd, linesOf(entries))
      renameSync(entriesPath(directory), previousPath(directory))
      const next = openSync(entriesPath(directory), 'a', 0o600)
      closeSync(this.#fd)
      this.#fd = next
    } catch (error) {
      onTrouble('Cannot start a new file of the journal', error)
    }
  }
}

function linesOf(entries: readonly unknown[]): Buffer {
  const last = entries.length - 1
  const lines = entries.map((entry, index) =>
    JSON.stringify(index < last ? Object.assign({}, entry, { more: true }) : entry),
  )
  return Buffer.from(`${lines.join('\n')}\n`)
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
  const { entries, bytes, isDamaged } = readEntries<Event, Change>(path)
  if (isDamaged) setAside(path, options)
  const later = entries.filter((entry) => entry.seq > snapshot.seq)
  const before = readEntries<Event, Change>(previousPath(options.directory))
  // Damaged, it has a gap before the entries that follow it.
  const earlier = before.isDamaged ? [] : before.entries
  const first = entries[0]?.seq ?? Infinity
  const events = [...earlier.filter((entry) => entry.seq < first), ...entries].flatMap(({ event }) => event ?? [])
  return {
    stored: snapshot.stored,
    changes: later.flatMap((entry) => entry.changes ?? []),
    seq: later.at(-1)?.seq ?? snapshot.seq,
    events: events.slice(-(options.eventsKept ?? defaultEventsKept)),
    bytes: isDamaged ? 0 : bytes,
    isDamaged: isDamaged || snapshot.isDamaged,
  }
}

/** Of a file that need not exist, up to where it is damaged; `bytes` is the length of what is whole. */
function readEntries<Event, Change>(
  path: string,
): {
  readonly entries: readonly Entry<Event, Change>[]
  readonly bytes: number
  readonly isDamaged: boolean
} {
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  const entries: Entry<Event, Change>[] = []
  let open: Entry<Event, Change>[] = []
  let bytes = 0
  let read = 0
  for (const line of text.split('\n').slice(0, -1)) {
    const entry = parseEntry<Event, Change>(line)
    if (entry === null) return { entries, bytes, isDamaged: true }
    read += Buffer.byteLength(line) + 1
    open.push(entry)
    if (entry.more === true) continue
    entries.push(...open)
    open = []
    bytes = read
  }
  return { entries, bytes, isDamaged: false }
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
  let written = 0
  try {
    while (written < bytes.length) written += writeSync(fd, bytes, written)
  } catch (error) {
    // Half an entry would damage those after it.
    if (written > 0) ftruncateSync(fd, fstatSync(fd).size - written)
    throw error
  }
}

function entriesPath(directory: string): string {
  return join(directory, 'entries.jsonl')
}

/** The file before the last snapshot. */
function previousPath(directory: string): string {
  return join(directory, 'entries.old.jsonl')
}

function snapshotPath(directory: string): string {
  return join(directory, 'snapshot.json')
}
