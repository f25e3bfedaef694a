// Remembers on disk what runs, for a keeper that has to find the processes of one that was lost.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isErrno } from '../lib/errno.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { SpawnOrder } from './protocol.ts'

export interface RunEntry extends Pick<SpawnOrder, 'run' | 'tag' | 'log' | 'recovery'> {
  /** With pid 0 it was about to be started: whatever carries its marker or its limit is of it. */
  readonly identity: RunIdentity
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Of the machine; identities of another boot mean nothing. */
  readonly boot: string
}

export interface RunsFileReports {
  /** What an earlier keeper left could not be read, or not all of it, and is kept aside. */
  readonly onDamaged: (message: string, error?: unknown) => void
  /** The file cannot be written at present; told once, until it can. */
  readonly onUnwritten: (error: unknown) => void
}

/** Lines that are kept before the file is written anew with what still runs. */
const compactLines = 1000
/** Between two tries to write what a full disk has refused. */
const retryMs = 1000

const format = 1

/**
 * A line with the format, then one for each start and each end; mode 0600. Services must not depend on the disk: nothing here
 * throws, and what cannot be written is written as soon as it can be. Until then the file is as it was.
 */
export class RunsFile implements Disposable {
  readonly #path: string
  readonly #reports: RunsFileReports
  readonly #entries = new Map<string, RunEntry>()
  #lines = 0
  /** The file lacks something. No line may follow then: the last one may be torn, and only a whole new file is true again. */
  #isBehind = false
  #retry: NodeJS.Timeout | null = null

  /** Keeps the entries of runs that an earlier keeper has not seen the end of. */
  constructor(path: string, reports: RunsFileReports) {
    this.#path = path
    this.#reports = reports
    for (const line of readRuns(path, reports.onDamaged)) this.#apply(line)
    this.#compact()
  }

  get entries(): readonly RunEntry[] {
    return [...this.#entries.values()]
  }

  add(entry: RunEntry): void {
    this.#entries.set(entry.run, entry)
    this.#append(entry)
  }

  remove(run: string): void {
    if (this.#entries.delete(run)) this.#append({ emptied: run })
  }

  /** Tries no more to write what is not written. */
  [Symbol.dispose](): void {
    if (this.#retry !== null) clearTimeout(this.#retry)
    this.#retry = null
  }

  #append(line: object): void {
    const isLong = this.#lines >= compactLines && this.#lines >= 4 * this.#entries.size
    if (this.#isBehind || isLong) return this.#compact()
    this.#try(() => {
      appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 })
      this.#lines++
    })
  }

  #compact(): void {
    this.#try(() => {
      const temporary = `${this.#path}.new`
      const text = [{ format }, ...this.entries].map((line) => `${JSON.stringify(line)}\n`).join('')
      writeFileSync(temporary, text, { mode: 0o600 })
      renameSync(temporary, this.#path)
      this.#lines = this.#entries.size
    })
  }

  #try(write: () => void): void {
    try {
      write()
      this.#isBehind = false
    } catch (error) {
      if (!this.#isBehind) this.#reports.onUnwritten(error)
      this.#isBehind = true
      this.#retryLater()
    }
  }

  #retryLater(): void {
    this.#retry ??= setTimeout(() => {
      this.#retry = null
      if (this.#isBehind) this.#compact()
    }, retryMs)
  }

  #apply(line: Line | null): void {
    if (line === null || 'format' in line) return
    if ('emptied' in line) this.#entries.delete(line.emptied)
    else this.#entries.set(line.run, line)
  }
}

type Line = RunEntry | { readonly emptied: string } | { readonly format: number }

/** Of a damaged file whole lines count; of one in another format none, since they may mean something else. */
function readRuns(path: string, onDamaged: RunsFileReports['onDamaged']): readonly (Line | null)[] {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) setAside(path, 'was damaged', onDamaged, error)
    return []
  }
  const lines = text.replace(/\n$/, '').split('\n').map(parseLine)
  if (lines.some((line) => line !== null && 'format' in line && line.format !== format)) {
    setAside(path, 'is of another version', onDamaged)
    return []
  }
  // The last line may have been torn by the end of a keeper; no other can.
  if (lines.slice(0, -1).includes(null)) setAside(path, 'was damaged', onDamaged)
  return lines
}

function setAside(path: string, what: string, onDamaged: RunsFileReports['onDamaged'], error?: unknown): void {
  const aside = `${path}.damaged-${Date.now()}`
  try {
    renameSync(path, aside)
    onDamaged(`The list of what runs ${what}; it is kept in ${aside}`, error)
  } catch (refusal) {
    onDamaged(`The list of what runs ${what}, and cannot be set aside`, refusal)
  }
}

/** Null for a line that is none: torn, or damaged. */
function parseLine(text: string): Line | null {
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line !== 'object' || line === null) return null
    if ('format' in line && typeof line.format === 'number') return { format: line.format }
    if ('emptied' in line && typeof line.emptied === 'string') return { emptied: line.emptied }
    return 'run' in line && 'identity' in line && 'boot' in line && 'log' in line ? (line as RunEntry) : null
  } catch {
    return null
  }
}
