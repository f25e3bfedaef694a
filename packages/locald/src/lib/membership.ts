// Whether one process belongs to a run, judged at once: without a look at all the others.
import { membersByRun, processEntry } from './process-tree.ts'
import type { ProcessEntry } from './process-source.ts'
import type { RunIdentity } from './process-tree.ts'

export interface Membership {
  /** `gone`: there is no process of that pid any more. */
  readonly is: 'member' | 'stranger' | 'gone'
  /** The process, unless it is gone. */
  readonly entry: ProcessEntry | null
}

interface MembershipOptions {
  /** See `membersByRun`. */
  readonly under?: number
  /** Replaced in tests. */
  readonly read?: (pid: number) => ProcessEntry | null
}

/** An ancestor that ends while they are being read hides those above it, until its child has another parent. */
const attempts = 4

/** A process that has ended but is not reaped yet still belongs to its run. */
export function membershipOf(pid: number, identity: RunIdentity, options: MembershipOptions = {}): Membership {
  const { under, read = processEntry } = options
  let entry: ProcessEntry | null = null
  for (let attempt = 0; attempt < attempts; attempt++) {
    const line = lineOf(pid, read)
    entry = line.entries.get(pid) ?? null
    if (entry === null) return { is: 'gone', entry: null }
    const members = membersByRun([identity], line.entries, under === undefined ? {} : { under })
    if (members.get(identity.marker)?.some((member) => member.pid === pid) === true) return { is: 'member', entry }
    if (line.isWhole) break
  }
  return { is: 'stranger', entry }
}

/** A process and its ancestors. */
function lineOf(
  pid: number,
  read: (pid: number) => ProcessEntry | null,
): { readonly entries: ReadonlyMap<number, ProcessEntry>; readonly isWhole: boolean } {
  const entries = new Map<number, ProcessEntry>()
  for (let at = pid; at > 0 && !entries.has(at);) {
    const entry = read(at)
    if (entry === null) return { entries, isWhole: false }
    entries.set(at, { ...entry, alive: true })
    at = entry.parent
  }
  return { entries, isWhole: true }
}
