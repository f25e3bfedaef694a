// Which processes belong to which run: pure attribution over a snapshot of the process table.
import { linuxProcesses } from './linux-processes.ts'
import { macosProcesses } from './macos-processes.ts'
import type { ProcessEntry, ProcessSource, ProcessTable } from './process-source.ts'

/** How the processes of a run are recognised. All of it is inherited by children, each part by other means. */
export interface RunIdentity {
  /** The process that the run was started as; it leads its own session and process group. 0: not known, and none is it. */
  readonly pid: number
  /** Start time of `pid` in clock ticks since boot: together with the pid it names one process for good. */
  readonly startTime: number
  /** Value of `LOCALD_RUN` in the environment of its processes; unique on the machine. */
  readonly marker: string
  /**
   * Soft limit of file locks (RLIMIT_LOCKS) of its processes. Linux ignores that limit since 2.6 but children inherit it
   * through `env -i`, `setsid` and a double fork, and anyone may read it in `/proc/PID/limits`. Unique on the machine;
   * null where there is no such limit.
   */
  readonly lockLimit: number | null
}

const source: ProcessSource = process.platform === 'darwin' ? macosProcesses : linuxProcesses

/** A snapshot of every process that can be seen. */
export function readProcesses(): ProcessTable {
  return source.read()
}

/** One process as it is now, null when there is none of that pid. Zombies count. */
export function processEntry(pid: number): ProcessEntry | null {
  return source.entry(pid)
}

/** The users that a process acts for (real and effective), empty when that cannot be seen. */
export function processUsers(pid: number): readonly number[] {
  return source.uids(pid)
}

/** Start time of a process in the unit of `RunIdentity`, null when there is none of that pid. Zombies count. */
export function startTimeOf(pid: number): number | null {
  return source.startTime(pid)
}

/** This moment in the unit of `RunIdentity.startTime`. */
export function startTimeNow(): number {
  return source.now()
}

/** What a process was called with, for people: at most 200 characters. */
export function commandLineOf(entry: ProcessEntry): string {
  return source.commandLine(entry).slice(0, 200)
}

interface AttributionOptions {
  /**
   * Look at marker and limit of descendants of this process alone: of the keeper, whose child every orphan of a run
   * becomes. Nor is a session whose leader is gone believed in anywhere else. Default: of every process that is younger than the
   * oldest run, which costs two more reads for each.
   */
  readonly under?: number
  /** This process and everything below it belongs to no run. */
  readonly except?: number
  /**
   * Believe in a session whose leader is gone only with a marker or a limit: when nobody held its pid in between, it may
   * have been given to a stranger who came and went. Default false.
   */
  readonly isProven?: boolean
  /** Replaced in tests. */
  readonly evidence?: ProcessSource['evidence']
}

/**
 * The living processes of each run, by marker. A process belongs to the run whose leader is among its ancestors, else to
 * the one whose session it is in while the leader is there, else to the one whose limit or marker it carries, else to the one
 * whose session it is in; its children go with it. Zombies are never members.
 */
export function membersByRun(
  identities: Iterable<RunIdentity>,
  table: ProcessTable,
  options: AttributionOptions = {},
): ReadonlyMap<string, readonly ProcessEntry[]> {
  const known = [...identities]
  const oldest = Math.min(...known.map((identity) => identity.startTime))
  const leaders = new Map(known.map((identity) => [identity.pid, identity]))
  leaders.delete(0)
  const byMarker = new Map(known.map((identity) => [identity.marker, identity]))
  const byLimit = new Map(known.map((identity) => [identity.lockLimit, identity]))
  byLimit.delete(null)
  const evidence = options.evidence ?? ((pid: number) => source.evidence(pid))

  const ledRun = (entry: ProcessEntry): RunIdentity | null => {
    const led = leaders.get(entry.pid)
    return led?.startTime === entry.startTime ? led : null
  }
  const sessionRun = (entry: ProcessEntry, leaderIs: 'there' | 'gone'): RunIdentity | null => {
    const session = leaders.get(entry.session)
    if (session === undefined || entry.startTime < session.startTime) return null
    const leader = table.get(entry.session)
    if (leader === undefined) return leaderIs === 'gone' ? session : null
    // The pid of a leader that is gone can come to lead somebody else's session.
    return leaderIs === 'there' && leader.startTime === session.startTime ? session : null
  }
  const carriedRun = (entry: ProcessEntry): RunIdentity | null => {
    if (entry.startTime < oldest) return null
    const { lockLimit, marker } = evidence(entry.pid)
    const byItsLimit = lockLimit === null ? undefined : byLimit.get(lockLimit)
    return byItsLimit ?? (marker === null ? null : (byMarker.get(marker) ?? null))
  }

  interface Place {
    readonly run: RunIdentity | null
    readonly isUnder: boolean
    readonly isExcepted?: boolean
  }
  const top: Place = { run: null, isUnder: options.under === undefined }
  const places = new Map<number, Place>()
  const placeOf = (entry: ProcessEntry): Place => {
    const before = places.get(entry.pid)
    if (before !== undefined) return before
    places.set(entry.pid, top) // ends a circle, which a table that was read while processes came and went can show
    const parent = table.get(entry.parent)
    const above = parent === undefined ? top : placeOf(parent)
    if (entry.pid === options.except || above.isExcepted === true) {
      const excepted = { run: null, isUnder: false, isExcepted: true }
      places.set(entry.pid, excepted)
      return excepted
    }
    const isRoot = entry.pid === options.under
    const isAsked = above.isUnder && !isRoot
    const run =
      ledRun(entry) ??
      above.run ??
      sessionRun(entry, 'there') ??
      (isAsked ? carriedRun(entry) : null) ??
      // Weakest of all: the pid may have been somebody else's in between, who came and went.
      (isAsked && options.isProven !== true ? sessionRun(entry, 'gone') : null)
    const place = { run, isUnder: above.isUnder || isRoot }
    places.set(entry.pid, place)
    return place
  }

  const members = new Map<string, ProcessEntry[]>(known.map((identity) => [identity.marker, []]))
  for (const entry of table.values()) {
    const { run } = placeOf(entry)
    if (run !== null && entry.alive) members.get(run.marker)?.push(entry)
  }
  return members
}

/** The living processes of one run. */
export function membersOf(
  identity: RunIdentity,
  table: ProcessTable,
  options: AttributionOptions = {},
): readonly ProcessEntry[] {
  return membersByRun([identity], table, options).get(identity.marker) ?? []
}
