// The process table for those who ask for it a hundred times a second: only processes not seen before are read.
import { readdirSync, readFileSync } from 'node:fs'
import { parseStat } from '../lib/linux-processes.ts'
import { readProcesses } from '../lib/process-tree.ts'
import type { ProcessEntry, ProcessTable } from '../lib/process-source.ts'

/**
 * Entries are as they were when first seen. That keeps the parents of processes that were orphaned since; who relies on an
 * entry must check that its pid was not given to another process in between.
 */
export class ProcessCache {
  readonly #entries = new Map<number, ProcessEntry>()
  #refreshedAt = Number.NEGATIVE_INFINITY

  /** When it was read last, on the clock of `performance.now()`. */
  get refreshedAt(): number {
    return this.#refreshedAt
  }

  /** As it is now, or was this many milliseconds ago. Default: now. */
  refresh(maxAgeMs: number = 0): ProcessTable {
    const now = performance.now()
    const isLinux = process.platform === 'linux'
    if (isLinux && now - this.#refreshedAt < maxAgeMs) return this.#entries
    this.#refreshedAt = now
    if (!isLinux) return readProcesses()
    const present = new Set<number>()
    for (const name of readdirSync('/proc')) {
      const pid = Number(name)
      if (!Number.isInteger(pid)) continue
      present.add(pid)
      if (this.#entries.has(pid)) continue
      const entry = readEntry(pid)
      if (entry !== null) this.#entries.set(pid, entry)
    }
    for (const pid of this.#entries.keys()) if (!present.has(pid)) this.#entries.delete(pid)
    return this.#entries
  }

  /** Reads this process anew. */
  forget(pid: number): void {
    this.#entries.delete(pid)
  }
}

function readEntry(pid: number): ProcessEntry | null {
  try {
    return parseStat(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    // It ended after the directory was read.
    return null
  }
}
