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

/** Lines that are kept before the file is written anew with what still runs. */
const compactLines = 1000

const format = 1

/** A line with the format, then one for each start and each end; mode 0600. */
export class RunsFile {
  readonly #path: string
  readonly #entries = new Map<string, RunEntry>()
  #lines = 0

  /** Keeps the entries of runs that an earlier keeper has not seen the end of. A file that cannot be read is set aside. */
  constructor(path: string, onTrouble: (message: string, error?: unknown) => void) {
    this.#path = path
    const lines = readLines(path, onTrouble)
    const parsed = lines.map(parseLine)
    for (const line of parsed) this.#apply(line)
    // The last line may have been torn by the end of a keeper; no other can.
    if (parsed.slice(0, -1).includes(null)) setAside(path, onTrouble)
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

  #append(line: object): void {
    appendFileSync(this.#path, `${JSON.stringify(line)}\n`, { mode: 0o600 })
    this.#lines++
    if (this.#lines > compactLines && this.#lines > 4 * this.#entries.size) this.#compact()
  }

  #compact(): void {
    const temporary = `${this.#path}.new`
    const text = [{ format }, ...this.entries].map((line) => `${JSON.stringify(line)}\n`).join('')
    writeFileSync(temporary, text, { mode: 0o600 })
    renameSync(temporary, this.#path)
    this.#lines = this.#entries.size
  }

  #apply(line: Line | null): void {
    if (line === null || 'format' in line) return
    if ('emptied' in line) this.#entries.delete(line.emptied)
    else this.#entries.set(line.run, line)
  }
}

type Line = RunEntry | { readonly emptied: string } | { readonly format: number }

function readLines(path: string, onTrouble: (message: string, error?: unknown) => void): readonly string[] {
  try {
    return readFileSync(path, 'utf8').replace(/\n$/, '').split('\n')
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) setAside(path, onTrouble, error)
    return []
  }
}

function setAside(path: string, onTrouble: (message: string, error?: unknown) => void, error?: unknown): void {
  const aside = `${path}.damaged-${Date.now()}`
  renameSync(path, aside)
  onTrouble(`The list of what runs was damaged; it is kept in ${aside}`, error)
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
