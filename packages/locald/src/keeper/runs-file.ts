// Remembers on disk what runs, for a keeper that has to find the processes of one that was lost.
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { RunIdentity } from '../lib/process-tree.ts'

export interface RunEntry {
  readonly run: string
  readonly tag: Readonly<Record<string, unknown>>
  readonly identity: RunIdentity
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Of the machine; identities of another boot mean nothing. */
  readonly boot: string
}

/** Lines that are kept before the file is written anew with what still runs. */
const compactLines = 1000

/** A line for each start and each end; mode 0600. */
export class RunsFile {
  readonly #path: string
  readonly #entries = new Map<string, RunEntry>()
  #lines = 0

  /** Keeps the entries of runs that an earlier keeper has not seen the end of. */
  constructor(path: string) {
    this.#path = path
    for (const line of readLines(path)) this.#apply(parseLine(line))
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
    const text = this.entries.map((entry) => `${JSON.stringify(entry)}\n`).join('')
    writeFileSync(temporary, text, { mode: 0o600 })
    renameSync(temporary, this.#path)
    this.#lines = this.#entries.size
  }

  #apply(line: RunEntry | { readonly emptied: string } | null): void {
    if (line === null) return
    if ('emptied' in line) this.#entries.delete(line.emptied)
    else this.#entries.set(line.run, line)
  }
}

function readLines(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  }
}

/** Null for a line that was torn by the end of a keeper. */
function parseLine(text: string): RunEntry | { readonly emptied: string } | null {
  try {
    const line: unknown = JSON.parse(text)
    if (typeof line !== 'object' || line === null) return null
    if ('emptied' in line && typeof line.emptied === 'string') return { emptied: line.emptied }
    return 'run' in line && 'identity' in line && 'boot' in line ? (line as RunEntry) : null
  } catch {
    return null
  }
}
