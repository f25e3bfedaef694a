// Which run listens where, for all runs of the daemon by one shared poll.
import { readFileSync } from 'node:fs'
import { openListenerTable } from '../lib/listening-sockets.ts'
import { ownersOf } from '../lib/port-holder.ts'
import { membersByRun, processEntry, readProcesses, startTimeOf } from '../lib/process-tree.ts'
import { ProcessCache } from './process-cache.ts'
import type { Listener, ListenerTable } from '../lib/listener.ts'
import type { ProcessEntry, ProcessTable } from '../lib/process-source.ts'
import type { RunIdentity } from '../lib/process-tree.ts'

/** What is known of the listeners that matter to a run. */
export interface RunListeners {
  /** Its own, in the order in which they were found. */
  readonly own: readonly Listener[]
  /** Other people's on the ports that it asked about. */
  readonly others: readonly Listener[]
  /** On those ports, appeared just now: whose they are is not known yet. */
  readonly unknown: readonly Listener[]
  /** Why nothing can be known, for people; null when all is well. */
  readonly problem: string | null
}

/** How often to look: each row for so long, counted from the call of `follow`. */
export type Cadence = readonly { readonly everyMs: number; readonly forMs: number }[]

/** What a follower wants to hear of: everything, as often as that, or that it has lost a listener, at little cost. */
export type Following = Cadence | 'losses'

export interface WatchedRun extends Disposable {
  /** As of the last look. */
  readonly listeners: RunListeners
  /**
   * From now on looks by this cadence, or once a second for what it loses, and calls `changed`; null stops that. The quickest
   * of all runs counts.
   */
  follow(following: Following | null): void
  /** Looks now, unless somebody did in the last so many milliseconds. Default 20. */
  check(maxAgeMs?: number): Promise<RunListeners>
}

export interface WatchOrder {
  readonly identity: RunIdentity
  /** The ports of which others' listeners matter too: the given port first. */
  readonly ports: readonly number[]
  /** When the run began, milliseconds since the epoch: what listened before is not its own. Default: may have begun at any time. */
  readonly startedAt?: number
  /** `listeners` differs from what it was; never called for a run that is not followed. */
  readonly changed: () => void
}

interface ListenerWatchOptions {
  /** Replaced in tests. */
  readonly openTable?: () => Promise<ListenerTable>
  /** Replaced in tests. */
  readonly owners?: typeof ownersOf
  /** The keeper's pid: orphans of a run are looked for among its children alone. Default: among all processes. */
  readonly keeper?: number
}

const freshMs = 20
/** Between two clocks that are read one after the other. */
const clockMarginMs = 50
/** Where a reading is dear (/proc with many connections, lsof), so many times as long passes from one to the next. */
const idleShare = 10
/** Losses are looked for as long as a service runs: seldom, and more so where a reading is dear. */
const lossesEveryMs = 1000
const lossesShare = 100
/**
 * How long after a socket was first seen its owner is looked for again. A process can be of a run a moment before that
 * shows: a child of a double fork between its two parents.
 */
const retryAfterMs = [0, 10, 50] as const

/** Looks for an owner: when next, and how often it did. */
interface Search {
  readonly firstSeen: number
  tries: number
}

class Watched implements WatchedRun {
  readonly identity: RunIdentity
  readonly ports: ReadonlySet<number>
  readonly changed: () => void
  readonly own = new Map<number, Listener>()
  readonly searches = new Map<number, Search>()
  listeners: RunListeners = { own: [], others: [], unknown: [], problem: null }
  following: Following | null = null
  followedSince = 0
  /** A listener of its own is gone, which `listeners` does not tell yet. */
  hasLost = false
  /** Something of `listeners` may differ. */
  stale = true
  readonly #watch: ListenerWatch

  constructor(order: WatchOrder, watch: ListenerWatch) {
    this.identity = order.identity
    this.ports = new Set(order.ports)
    this.changed = order.changed
    this.#watch = watch
  }

  follow(following: Following | null): void {
    this.following = following
    this.followedSince = performance.now()
    this.#watch.reschedule()
  }

  async check(maxAgeMs: number = freshMs): Promise<RunListeners> {
    await this.#watch.look(this, maxAgeMs)
    return this.listeners
  }

  /** Null when it does not want to be looked for, now or ever again, but for its losses. */
  periodAt(now: number): number | null {
    if (this.following === null || this.following === 'losses') return null
    let age = now - this.followedSince
    for (const { everyMs, forMs } of this.following) {
      if (age < forMs) return everyMs
      age -= forMs
    }
    return null
  }

  /** Whether what a poll has seen may matter to it. */
  isConcernedAt(now: number): boolean {
    return this.following === 'losses' ? this.hasLost : this.periodAt(now) !== null
  }

  /** It listens on a port that it was asked about: who else listens where matters little to it. */
  get isOnPort(): boolean {
    for (const { port } of this.own.values()) if (this.ports.has(port)) return true
    return false
  }

  [Symbol.dispose](): void {
    this.following = null
    this.#watch.forget(this)
  }
}

/** One for a daemon. Looks only while a run is followed or checked; holds one descriptor from the first look on. */
export class ListenerWatch implements Disposable {
  readonly #runs = new Set<Watched>()
  readonly #openTable: () => Promise<ListenerTable>
  readonly #findOwners: typeof ownersOf
  readonly #attribution: { readonly under?: number }
  readonly #processes = new ProcessCache()
  #table: ListenerTable | null = null
  #present: ReadonlyMap<number, Listener> = new Map()
  /** When each of them was first seen, milliseconds since the epoch. */
  readonly #seenAt = new Map<number, number>()
  #problem: string | null = null
  /** Sockets that were found to be of a run. */
  readonly #owners = new Map<number, Watched>()
  #lookedAt = Number.NEGATIVE_INFINITY
  /** Kept apart from `#lookedAt`: many checks must not put off the poll for ever. */
  #polledAt = Number.NEGATIVE_INFINITY
  #readMs = 0
  #lastReadMs = 0
  #looking: Promise<void> | null = null
  /** Who is of which run, by the processes of a moment, for the runs that there were then. */
  #shared: { readonly refreshedAt: number; readonly runs: number; readonly members: Members } | null = null
  #runsEver = 0
  #timer: NodeJS.Timeout | null = null
  /** Reading every process's environment is dear: not again before this moment. */
  #deepNotBefore = 0
  #disposed = false

  constructor(options: ListenerWatchOptions = {}) {
    this.#openTable = options.openTable ?? openListenerTable
    this.#findOwners = options.owners ?? ownersOf
    this.#attribution = options.keeper === undefined ? {} : { under: options.keeper }
  }

  watch(order: WatchOrder): WatchedRun {
    const run = new Watched(order, this)
    const firstSeen = performance.now()
    const oldest = (order.startedAt ?? Number.NEGATIVE_INFINITY) - clockMarginMs
    for (const [inode, listener] of this.#present) {
      const owner = this.#owners.get(inode)
      if ((this.#seenAt.get(inode) ?? 0) < oldest) continue
      if (owner === undefined) run.searches.set(inode, { firstSeen, tries: 0 })
      else if (isSameRun(owner, run)) run.own.set(inode, listener)
    }
    this.#runs.add(run)
    this.#runsEver++
    return run
  }

  /** Every port on which anybody listens now. */
  async ports(): Promise<ReadonlySet<number>> {
    await this.#look()
    return new Set([...this.#present.values()].map(({ port }) => port))
  }

  /** For its runs only. */
  forget(run: Watched): void {
    this.#runs.delete(run)
    const firstSeen = performance.now()
    for (const inode of run.own.keys()) {
      if (this.#owners.get(inode) !== run) continue
      this.#owners.delete(inode)
      // Should another run have inherited the socket, that run may claim it now.
      for (const other of this.#runs)
        if (isSameRun(other, run)) this.#owners.set(inode, other)
        else other.searches.set(inode, { firstSeen, tries: 0 })
    }
    this.reschedule()
  }

  /** For its runs only. */
  async look(run: Watched, maxAgeMs: number): Promise<void> {
    if (performance.now() - this.#lookedAt > maxAgeMs) await this.#look()
    if (this.#disposed) return
    this.#reconsider(run)
    this.#resolve([run], maxAgeMs > freshMs ? maxAgeMs : 0)
    this.#refreshView(run)
  }

  /** For its runs only. */
  reschedule(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    if (this.#disposed || this.#looking !== null) return
    const now = performance.now()
    const affordable = this.#affordablePeriod(now)
    if (!Number.isFinite(affordable)) return
    const delay = Math.max(1, Math.round(this.#polledAt + affordable - now))
    this.#timer = setTimeout(() => void this.#poll(), delay).unref()
  }

  #affordablePeriod(now: number): number {
    let period = Number.POSITIVE_INFINITY
    let forLosses = Number.POSITIVE_INFINITY
    for (const run of this.#runs) {
      if (run.following === 'losses') forLosses = Math.max(lossesEveryMs, this.#readMs * lossesShare)
      else period = Math.min(period, run.periodAt(now) ?? Number.POSITIVE_INFINITY)
    }
    return Math.min(forLosses, Math.max(period, this.#readMs * idleShare))
  }

  async #poll(): Promise<void> {
    this.#polledAt = performance.now()
    await this.#look()
    if (this.#disposed) return
    const now = performance.now()
    const concerned = [...this.#runs].filter((run) => run.isConcernedAt(now))
    this.#resolve(concerned)
    this.reschedule()
    for (const run of concerned) if (this.#refreshView(run) && run.following !== null) run.changed()
  }

  /** Takes a dump, or waits for the one that is being taken. */
  async #look(): Promise<void> {
    this.#looking ??= this.#read().finally(() => {
      this.#looking = null
      this.reschedule()
    })
    await this.#looking
  }

  async #read(): Promise<void> {
    try {
      this.#table ??= await this.#openTable()
      const start = performance.now()
      const listeners = await this.#table.read()
      const tookMs = performance.now() - start
      // The lesser of two: one slow reading says little.
      this.#readMs = Math.min(tookMs, this.#lastReadMs)
      this.#lastReadMs = tookMs
      if (this.#disposed) return this.#closeTable()
      this.#compare(listeners)
      this.#setProblem(null)
    } catch (error) {
      this.#setProblem(`Cannot list listening sockets: ${error instanceof Error ? error.message : String(error)}`)
    } finally {
      this.#lookedAt = performance.now()
    }
  }

  #setProblem(problem: string | null): void {
    if (problem === this.#problem) return
    this.#problem = problem
    for (const run of this.#runs) run.stale = true
  }

  #compare(listeners: readonly Listener[]): void {
    const before = this.#present
    const isSame = listeners.length === before.size && listeners.every(({ inode }) => before.has(inode))
    if (isSame) return
    const present = new Map(listeners.map((listener) => [listener.inode, listener]))
    const firstSeen = performance.now()
    for (const run of this.#runs) {
      for (const inode of before.keys()) if (!present.has(inode)) this.#drop(run, inode)
      for (const listener of listeners) {
        if (before.has(listener.inode)) continue
        run.searches.set(listener.inode, { firstSeen, tries: 0 })
        if (run.ports.has(listener.port)) run.stale = true
      }
    }
    for (const inode of before.keys()) if (!present.has(inode)) this.#seenAt.delete(inode)
    for (const inode of present.keys()) if (!before.has(inode)) this.#seenAt.set(inode, Date.now())
    this.#present = present
  }

  #drop(run: Watched, inode: number): void {
    run.searches.delete(inode)
    if (run.own.delete(inode)) {
      this.#owners.delete(inode)
      run.hasLost = true
    }
    run.stale = true
  }

  /** A run that lacks its port while somebody else seems to have it: looks again at whose that is. */
  #reconsider(run: Watched): void {
    if (run.isOnPort) return
    for (const listener of run.listeners.others)
      if (!this.#owners.has(listener.inode) && !run.searches.has(listener.inode))
        run.searches.set(listener.inode, { firstSeen: performance.now(), tries: retryAfterMs.length - 1 })
  }

  /** Looks for the owners of all sockets whose turn it is, among the processes of these runs. */
  #resolve(runs: readonly Watched[], maxAgeMs: number = 0): void {
    const now = performance.now()
    const due = new Map<Watched, Set<number>>()
    for (const run of runs) {
      const inodes = dueSearches(run, now)
      if (inodes.size > 0) due.set(run, inodes)
    }
    this.#searchLeaders(due)
    if (due.size === 0) return
    this.#search(due, maxAgeMs > 0 ? this.#sharedMembers(maxAgeMs) : this.#membersOf(due, this.#processes.refresh()))
    for (const [run, inodes] of due) if (run.isOnPort) this.#giveUp(run, inodes, due)
    const wasDeep = this.#searchDeep(due, now)
    for (const [run, inodes] of due) for (const inode of inodes) this.#countTry(run, inode, wasDeep)
  }

  /** Mostly the leader itself opens the port that its run was given: found without a look at all other processes. */
  #searchLeaders(due: Map<Watched, Set<number>>): void {
    const leaders = new Map<string, readonly ProcessEntry[]>()
    for (const { identity } of [...due.keys()].filter((run) => this.#likelihood(run, due) > 0)) {
      const leader = processEntry(identity.pid)
      if (leader?.startTime === identity.startTime) leaders.set(identity.marker, [leader])
    }
    if (leaders.size > 0) this.#search(due, leaders)
  }

  /** Also finds what left the run's tree and session. Takes at most a fifth of the time; false when it is not its turn. */
  #searchDeep(due: Map<Watched, Set<number>>, now: number): boolean {
    if (due.size === 0) return true
    if (now < this.#deepNotBefore) return false
    this.#search(due, this.#membersOf(due, readProcesses(), this.#attribution))
    const end = performance.now()
    this.#deepNotBefore = end + 4 * (end - now)
    return true
  }

  #membersOf(
    runs: Iterable<readonly [Watched, unknown]>,
    table: ProcessTable,
    options: Parameters<typeof membersByRun>[2] = noEvidence,
  ): Members {
    const identities = Array.from(runs, ([run]) => run.identity)
    return membersByRun(identities, table, options)
  }

  /** For many that look one by one: whenever anybody opens a port, each of hundreds would attribute all processes. */
  #sharedMembers(maxAgeMs: number): Members {
    const table = this.#processes.refresh(maxAgeMs)
    const { refreshedAt } = this.#processes
    if (this.#shared?.refreshedAt !== refreshedAt || this.#shared.runs !== this.#runsEver) {
      const members = this.#membersOf(
        Array.from(this.#runs, (run) => [run, null] as const),
        table,
      )
      this.#shared = { refreshedAt, runs: this.#runsEver, members }
    }
    return this.#shared.members
  }

  #search(due: Map<Watched, Set<number>>, members: Members): void {
    for (const run of [...due.keys()].sort((a, b) => this.#likelihood(b, due) - this.#likelihood(a, due))) {
      const inodes = due.get(run)
      if (inodes === undefined || inodes.size === 0) continue
      for (const inode of this.#claim(run, inodes, members.get(run.identity.marker) ?? [])) settle(due, inode)
    }
    for (const [run, inodes] of due) if (inodes.size === 0) due.delete(run)
  }

  /** A run whose given port is among the new ones is looked at first; mostly nobody else has to be then. */
  #likelihood(run: Watched, due: ReadonlyMap<Watched, ReadonlySet<number>>): number {
    for (const inode of due.get(run) ?? []) {
      const port = this.#present.get(inode)?.port
      if (port !== undefined && run.ports.has(port)) return 1
    }
    return 0
  }

  #claim(run: Watched, inodes: ReadonlySet<number>, members: readonly ProcessEntry[]): readonly number[] {
    const byPid = new Map(members.map((entry) => [entry.pid, entry]))
    const claimed: number[] = []
    for (const [inode, pid] of this.#ownersAmong(run, inodes, byPid)) {
      const listener = this.#present.get(inode)
      if (listener === undefined) continue
      if (startTimeOf(pid) !== byPid.get(pid)?.startTime) this.#processes.forget(pid)
      else {
        this.#give(listener, run)
        claimed.push(inode)
      }
    }
    return claimed
  }

  #give(listener: Listener, run: Watched): void {
    const { inode, port } = listener
    this.#owners.set(inode, run)
    for (const one of this.#runs) {
      const isOwn = isSameRun(one, run)
      if (isOwn) one.own.set(inode, listener)
      one.searches.delete(inode)
      if (isOwn || one.ports.has(port)) one.stale = true
    }
  }

  /** Inodes with the process that has them. */
  #ownersAmong(
    run: Watched,
    inodes: ReadonlySet<number>,
    members: ReadonlyMap<number, ProcessEntry>,
  ): ReadonlyMap<number, number> {
    const found = new Map<number, number>()
    const unseen = new Set<number>()
    for (const inode of inodes) {
      const pid = this.#present.get(inode)?.pid ?? null
      if (pid === null) unseen.add(inode)
      else if (members.has(pid)) found.set(inode, pid)
    }
    if (process.platform === 'darwin' || unseen.size === 0) return found
    const { owners, unreadable } = this.#findOwners(unseen, members.keys())
    for (const [inode, pid] of owners) found.set(inode, pid)
    if (unreadable.length > 0) this.#guess(run, unseen, unreadable, found)
    return found
  }

  /**
   * Programs with file capabilities (`setcap cap_net_bind_service` on node or caddy) hide their descriptors from their own
   * user. A socket on the given port is theirs when it was made by their user and no other process is seen to have it.
   */
  #guess(run: Watched, inodes: ReadonlySet<number>, unreadable: readonly number[], found: Map<number, number>): void {
    for (const inode of inodes) {
      const listener = this.#present.get(inode)
      if (listener === undefined || found.has(inode) || !run.ports.has(listener.port)) continue
      const pid = unreadable.find((one) => userOf(one) === listener.uid)
      if (pid === undefined) continue
      const elsewhere = this.#findOwners(new Set([inode]), this.#processes.refresh().keys())
      if (elsewhere.owners.size === 0) found.set(inode, pid)
    }
  }

  #countTry(run: Watched, inode: number, wasDeep: boolean): void {
    const search = run.searches.get(inode)
    if (search === undefined) return
    const isLast = search.tries >= retryAfterMs.length - 1
    if (!isLast) search.tries++
    if (isLast && wasDeep) this.#settle(run, inode)
  }

  /** The listener is somebody else's, as far as this run is concerned. */
  #settle(run: Watched, inode: number): void {
    run.searches.delete(inode)
    if (run.ports.has(this.#present.get(inode)?.port ?? 0)) run.stale = true
  }

  /** A healthy service is not worth a dear search each time that anybody on the machine opens a port. */
  #giveUp(run: Watched, inodes: ReadonlySet<number>, due: Map<Watched, Set<number>>): void {
    for (const inode of inodes) this.#settle(run, inode)
    due.delete(run)
  }

  /** True when it shows something new. */
  #refreshView(run: Watched): boolean {
    if (!run.stale) return false
    run.stale = false
    run.hasLost = false
    const before = run.listeners
    const onPorts = [...this.#present.values()].filter((one) => run.ports.has(one.port) && !run.own.has(one.inode))
    run.listeners = {
      own: [...run.own.values()],
      others: onPorts.filter((one) => !run.searches.has(one.inode)),
      unknown: onPorts.filter((one) => run.searches.has(one.inode)),
      problem: this.#problem,
    }
    return describe(before) !== describe(run.listeners)
  }

  #closeTable(): void {
    this.#table?.[Symbol.dispose]()
    this.#table = null
  }

  [Symbol.dispose](): void {
    this.#disposed = true
    this.#runs.clear()
    this.reschedule()
    if (this.#looking === null) this.#closeTable()
  }
}

type Members = ReturnType<typeof membersByRun>

const nothing = { marker: null, lockLimit: null }
const noEvidence = { evidence: () => nothing }

/** Two monitors may watch one run for a moment, when its definition changes. */
function isSameRun(one: Watched, other: Watched): boolean {
  return one.identity.marker === other.identity.marker
}

/** The effective user of a process, which everybody may read; null when it has ended. */
function userOf(pid: number): number | null {
  try {
    const user = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]
    return user === undefined ? null : Number(user)
  } catch {
    return null
  }
}

function dueSearches(run: Watched, now: number): Set<number> {
  const due = new Set<number>()
  for (const [inode, search] of run.searches) {
    if (now - search.firstSeen >= (retryAfterMs[search.tries] ?? 0)) due.add(inode)
  }
  return due
}

function settle(due: Map<Watched, Set<number>>, inode: number): void {
  for (const inodes of due.values()) inodes.delete(inode)
}

function describe(listeners: RunListeners): string {
  const inodes = (list: readonly Listener[]): string => list.map((one) => one.inode).join()
  return [inodes(listeners.own), inodes(listeners.others), inodes(listeners.unknown), listeners.problem ?? ''].join(';')
}
