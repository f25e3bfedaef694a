// Owns every run: starts it, records what it writes, notices its end, ends it. Holds no policy.
import { randomBytes, randomInt } from 'node:crypto'
import { bootId } from '../lib/boot-id.ts'
import { becomeSubreaper, reapChild } from '../lib/native.ts'
import { commandLineOf, membersByRun, readProcesses, startTimeNow } from '../lib/process-tree.ts'
import { parseSignal } from '../lib/signals.ts'
import { version } from '../lib/version.ts'
import { AgreedEnds } from './agreed-ends.ts'
import { FactLog } from './fact-log.ts'
import type { FileReports } from './file-reports.ts'
import { LogStreams } from './log-streams.ts'
import { NotifySockets } from './notify-sockets.ts'
import { keeperProtocol } from './protocol.ts'
import { Run } from './run.ts'
import type { RunHost } from './run.ts'
import { RunsFile } from './runs-file.ts'
import type { RunEntry } from './runs-file.ts'
import { checkSpawn } from './spawn-check.ts'
import type { Logger } from '../lib/logger.ts'
import type { ProcessTable, ProcessEntry } from '../lib/process-source.ts'
import type { RunIdentity } from '../lib/process-tree.ts'
import type { FactBody } from './fact-log.ts'
import type { Fact, KeeperOperation, KeeperOperations, SpawnOrder, SpawnResult, StreamTrouble } from './protocol.ts'

export interface KeeperOptions {
  /** Log streams are folders below it. */
  readonly logs: string
  /** Where it remembers what runs. */
  readonly runsFile: string
  readonly logger: Logger
  readonly files: FileReports
  /** The daemon asked for an end, and nothing was running; or for a new daemon, of that program. */
  readonly onShutdown: (kind: 'stop' | 'restart', program?: string) => void
  /** A child of this process that is not a run: the daemon. */
  readonly isOwnChild: (pid: number) => boolean
}

/** Who is told what happens; the one daemon. */
export interface KeeperListener {
  readonly onFact: (fact: Fact) => void
  readonly onGrew: (stream: string) => void
  readonly onTrouble: (trouble: StreamTrouble) => void
}

type Handlers = {
  readonly [Op in KeeperOperation]: (params: KeeperOperations[Op]['params']) => Answer<Op>
}

/** Of `append` it may come later. */
type Answer<Op extends KeeperOperation> =
  | KeeperOperations[Op]['result']
  | (Op extends 'append' ? Promise<KeeperOperations[Op]['result']> : never)

/** A hundred thousand ids of runs that are over are remembered, so that none is used twice. */
const rememberedIds = 100_000

/** Looking at all processes takes milliseconds on a busy machine: at most this part of the time goes into it. */
const mostReviewing = 0.2

/** Orphans that ended and belong to no run that is ending may stay zombies for so long. */
const zombieMs = 250

export class Keeper {
  readonly #options: KeeperOptions
  readonly #startedAt = Date.now()
  readonly #logs: LogStreams
  readonly #facts = new FactLog()
  readonly #runsFile: RunsFile
  readonly #runs = new Map<string, Run>()
  readonly #ends = new AgreedEnds()
  readonly #usedIds = new Set<string>()
  readonly #nonce = randomBytes(4).toString('hex')
  readonly #boot = bootId()
  readonly #isSubreaper: boolean
  readonly #notify: NotifySockets
  #listener: KeeperListener | null = null
  #review: { readonly timer: NodeJS.Timeout; readonly due: number } | null = null
  #reviewedAt = 0
  #reviewCost = 0
  #isStopping = false
  /** What `members` answers with until the loop goes round. */
  #shown: ReadonlyMap<string, readonly ProcessEntry[]> | null = null
  #onEmptied: (() => void) | null = null
  readonly #onChildEnded = (): void => this.#childEnded()
  readonly #handlers: Handlers = {
    hello: (params) => this.#hello(params),
    spawn: (order) => this.#spawn(order),
    end: (order) => this.#end(order),
    signal: (order) => this.#signal(order),
    members: ({ run }) => ({
      members: this.#membersShown(run).map((entry) => ({ pid: entry.pid, command: commandLineOf(entry) })),
    }),
    resize: ({ run, cols, rows }) => ({ done: this.#runs.get(run)?.resize(cols, rows) ?? false }),
    write: ({ run, data, from }) => ({
      written: this.#runs.get(run)?.write(Buffer.from(data, 'base64'), from) ?? false,
    }),
    readers: ({ run }) => ({ pids: this.#runs.get(run)?.readers(this.#membersOf(run)) ?? [] }),
    list: () => ({ runs: this.#infos() }),
    append: (params) => this.#append(params),
    unwritten: ({ stream, from }) => this.#logs.unwritten(stream, from),
    ack: ({ seq }) => this.#acknowledge(seq),
    shutdown: (params) => this.#shutdown(params),
    watchdog: ({ run }) => ({ known: this.#notify.armWatchdog(run) }),
    notify: (params) => this.#notifyOfContainer(params),
  }

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#logs = new LogStreams({
      directory: options.logs,
      logger: options.logger,
      onGrew: (stream) => this.#listener?.onGrew(stream),
      onTrouble: (trouble) => this.#listener?.onTrouble(trouble),
    })
    this.#runsFile = new RunsFile(options.runsFile, {
      onDamaged: options.files.onDamaged,
      onUnwritten: (error) => options.logger.log('error', 'Cannot remember what runs', { error }),
    })
    this.#isSubreaper = becomeSubreaper()
    this.#notify = new NotifySockets({
      tell: (run, body) => this.#tell(run, body),
      identityOf: (run) => this.#runs.get(run)?.identity ?? null,
      membersOf: (run) => this.#membersOf(run),
      extendEnd: (run, ms) => this.#runs.get(run)?.extendEnd(ms),
      ...(this.#isSubreaper ? { under: process.pid } : {}),
    })
    process.on('SIGCHLD', this.#onChildEnded)
    this.#recover()
  }

  /** Ends what an earlier keeper has left behind: nobody reads its output or would notice its end. */
  #recover(): void {
    const entries: RunEntry[] = []
    for (const entry of this.#runsFile.entries) {
      if (entry.boot === this.#boot) entries.push(entry)
      else this.#runsFile.remove(entry.run)
    }
    if (entries.length === 0) return
    const identities = entries.map((entry) => entry.identity)
    const members = membersByRun(identities, readProcesses(), { isProven: true, except: process.pid })
    for (const entry of entries) {
      const run = Run.lost(entry, members.get(entry.identity.marker) ?? [], this.#hostOf(entry.run))
      const { tag, lost } = run.info
      this.#options.logger.log('warn', 'A run was lost with its keeper', { run: entry.run, tag, ending: lost?.members })
      this.#runs.set(entry.run, run)
      this.#rememberId(entry.run)
    }
    this.#ends.add(this.#open())
  }

  /** Replaces the one who listens. */
  listen(listener: KeeperListener): void {
    this.#listener = listener
  }

  /** Facts wait from now on, unless somebody else listens already. */
  unlisten(listener: KeeperListener): void {
    if (this.#listener === listener) this.#listener = null
  }

  get unacknowledged(): readonly Fact[] {
    return this.#facts.unacknowledged
  }

  /** Whether a daemon may ask for this. */
  offers(op: string): op is KeeperOperation {
    return Object.hasOwn(this.#handlers, op)
  }

  /** Does what a daemon asks for. Throws when the order makes no sense. */
  handle<Op extends KeeperOperation>(op: Op, params: KeeperOperations[Op]['params']): Answer<Op> {
    const handler: Handlers[Op] = this.#handlers[op]
    return handler(params)
  }

  /** Ends every run, `asAgreed` at its start or `atOnce`; resolves when none is left. Nothing can be started any more. */
  async endAll(how: 'asAgreed' | 'atOnce'): Promise<void> {
    this.#isStopping = true
    for (const run of this.#open()) {
      this.#notify.stopWatchdog(run.order.run)
      if (how === 'atOnce') run.end({ signal: 'SIGTERM', scope: 'group', timeoutMs: 0 })
    }
    this.#ends.add(this.#open())
    if (this.#open().length > 0) await new Promise<void>((resolve) => (this.#onEmptied = resolve))
  }

  /** Writes out what waits and lets go of everything; what runs goes on without a keeper. */
  async close(): Promise<void> {
    process.off('SIGCHLD', this.#onChildEnded)
    if (this.#review !== null) clearTimeout(this.#review.timer)
    for (const run of this.#open()) run.abandon()
    this.#notify.close()
    this.#runsFile[Symbol.dispose]()
    await this.#logs.close()
  }

  #hello({ ack }: KeeperOperations['hello']['params']): KeeperOperations['hello']['result'] {
    this.#acknowledge(ack)
    const { warnings } = this.#options.files
    return {
      protocol: keeperProtocol,
      version,
      pid: process.pid,
      startedAt: this.#startedAt,
      runs: this.#infos(),
      containers: this.#notify.saidByContainers,
      troubles: this.#logs.troubles,
      ...(warnings.length === 0 ? {} : { warnings }),
    }
  }

  #spawn(order: SpawnOrder): SpawnResult {
    if (this.#isStopping) return { ok: false, reason: 'failed', message: 'The keeper is stopping' }
    if (this.#runs.has(order.run) || this.#usedIds.has(order.run)) return { ok: false, reason: 'duplicate' }
    const check = checkSpawn(order)
    if (!check.ok) return { ok: false, ...check.refusal }
    const { marker, lockLimit } = { marker: `${order.run}.${this.#nonce}`, lockLimit: randomInt(2 ** 40, 2 ** 47) }
    const { log, tag, recovery } = order
    const entry = { run: order.run, tag, log, ...(recovery === undefined ? {} : { recovery }), boot: this.#boot }
    // Before there is anything to find: this keeper may end between the fork and what is remembered of it.
    const planned = { pid: 0, startTime: startTimeNow(), marker, lockLimit }
    this.#runsFile.add({ ...entry, identity: planned, startedAt: Date.now() })
    let run: Run
    try {
      if (order.notify !== undefined) this.#notify.open(order.run, order.notify)
      run = Run.start(order, check.program, { marker, lockLimit }, this.#hostOf(order.run))
    } catch (error) {
      this.#notify.discard(order.run)
      this.#runsFile.remove(order.run)
      this.#options.logger.log('error', 'Cannot start a run', { run: order.run, error })
      return { ok: false, reason: 'failed', message: error instanceof Error ? error.message : String(error) }
    }
    const { identity, startedAt } = run
    this.#runs.set(order.run, run)
    this.#rememberId(order.run)
    this.#runsFile.add({ ...entry, identity, startedAt })
    this.#tell(order.run, { type: 'spawned', identity })
    this.#notify.listen(order.run)
    return { ok: true, identity, startedAt }
  }

  #hostOf(run: string): RunHost {
    return {
      logs: this.#logs,
      fact: (body, at) => {
        this.#notify.before(run, body)
        this.#tell(run, body, at)
      },
      reviewWithin: (delayMs) => this.#reviewWithin(delayMs),
      signalled: (how) => this.#options.logger.log('info', 'A run was signalled', { run, ...how }),
    }
  }

  #end(order: KeeperOperations['end']['params']): KeeperOperations['end']['result'] {
    const run = this.#runs.get(order.run)
    this.#notify.stopWatchdog(order.run)
    run?.end({ ...order, signal: signalOf(order.signal) })
    return { known: run !== undefined }
  }

  #signal(order: KeeperOperations['signal']['params']): KeeperOperations['signal']['result'] {
    const run = this.#runs.get(order.run)
    if (run === undefined || run.isEmptied) return { sent: false }
    return { sent: run.signal(signalOf(order.signal), run.hasExited ? this.#membersOf(order.run) : []) }
  }

  #notifyOfContainer(params: KeeperOperations['notify']['params']): KeeperOperations['notify']['result'] {
    if ('container' in params) return { known: this.#notify.identifyContainer(params.run, params.container) }
    if ('open' in params) this.#notify.openForContainer(params.run, params.open)
    else this.#notify.closeForContainer(params.run)
    return { known: true }
  }

  #append({ log, record, output, chunks, at }: KeeperOperations['append']['params']): Answer<'append'> {
    if (record !== undefined) this.#logs.record(log, record, at)
    if (output !== undefined) this.#logs.output(log, 'stdout', Buffer.from(output, 'base64'))
    if (chunks === undefined) return {}
    return this.#logs.timedOutput(log, chunks).then(() => ({}))
  }

  #acknowledge(seq: number): KeeperOperations['ack']['result'] {
    for (const fact of this.#facts.acknowledge(seq)) {
      this.#notify.acknowledged(fact)
      const run = fact.type === 'emptied' || fact.type === 'exited' ? this.#runs.get(fact.run) : undefined
      if (run?.isOver === true) this.#runs.delete(fact.run)
    }
    return {}
  }

  #shutdown({ restart, program }: KeeperOperations['shutdown']['params']): KeeperOperations['shutdown']['result'] {
    const running = this.#open().length
    if (restart === true) this.#options.onShutdown('restart', program)
    else if (running === 0) {
      this.#isStopping = true
      this.#options.onShutdown('stop')
    }
    return { running }
  }

  #infos(): KeeperOperations['list']['result']['runs'] {
    return [...this.#runs.values()].map(({ info }) => {
      const notified = this.#notify.saidBy(info.run)
      return notified === null ? info : { ...info, notified }
    })
  }

  #open(): readonly Run[] {
    return [...this.#runs.values()].filter((run) => !run.isEmptied)
  }

  #tell(run: string, body: FactBody, at?: number): void {
    const fact = this.#facts.add(run, body, at)
    if (body.type === 'emptied') this.#runsFile.remove(run)
    this.#listener?.onFact(fact)
    if (body.type !== 'emptied') return
    this.#ends.advance()
    if (this.#open().length === 0) this.#onEmptied?.()
  }

  #rememberId(id: string): void {
    this.#usedIds.add(id)
    const [oldest] = this.#usedIds
    if (this.#usedIds.size > rememberedIds && oldest !== undefined) this.#usedIds.delete(oldest)
  }

  #membersOf(id: string): readonly ProcessEntry[] {
    const run = this.#runs.get(id)
    return run === undefined ? [] : (this.#members(readProcesses()).get(run.identity.marker) ?? [])
  }

  /** To be looked at: all who ask at once, be it of hundreds of runs, get what one look has seen. */
  #membersShown(id: string): readonly ProcessEntry[] {
    const run = this.#runs.get(id)
    if (run === undefined) return []
    if (this.#shown === null) {
      this.#shown = this.#members(readProcesses())
      setImmediate(() => (this.#shown = null))
    }
    return this.#shown.get(run.identity.marker) ?? []
  }

  /** Of all runs at once, so that each process is given to one. */
  #members(table: ProcessTable): ReadonlyMap<string, readonly ProcessEntry[]> {
    const identities = (isLost: boolean): readonly RunIdentity[] =>
      this.#open().flatMap((run) => (run.isLost === isLost ? run.identity : []))
    const own = membersByRun(identities(false), table, this.#isSubreaper ? { under: process.pid } : {})
    const lost = identities(true)
    if (lost.length === 0) return own
    return new Map([...own, ...membersByRun(lost, table, { isProven: true, except: process.pid })])
  }

  #childEnded(): void {
    this.#reviewWithin(this.#open().some((run) => run.wantsReview) ? 0 : zombieMs)
  }

  #reviewWithin(delayMs: number): void {
    const now = performance.now()
    const earliest = this.#reviewedAt + this.#reviewCost / mostReviewing
    const due = Math.max(now + delayMs, earliest)
    if (this.#review !== null) {
      if (this.#review.due <= due) return
      clearTimeout(this.#review.timer)
    }
    this.#review = { due, timer: setTimeout(() => this.#reviewAll(), due - now) }
  }

  #reviewAll(): void {
    this.#review = null
    const started = performance.now()
    const table = readProcesses()
    this.#reapOrphans(table)
    const members = this.#members(table)
    const membersOf = ({ identity }: Run): readonly ProcessEntry[] => members.get(identity.marker) ?? []
    const waiting = this.#open().filter((run) => run.wantsReview)
    // A process that forks and ends while the table is being read can hide its child once; not from a second reading.
    const again = waiting.some((run) => membersOf(run).length === 0) ? this.#members(readProcesses()) : members
    this.#reviewedAt = performance.now()
    this.#reviewCost = this.#reviewedAt - started
    for (const run of waiting) {
      const seen = membersOf(run)
      run.review(seen.length > 0 ? seen : (again.get(run.identity.marker) ?? []))
    }
  }

  /** Each by its pid: waiting for any child would take the leaders' exits away from those who wait for them. */
  #reapOrphans(table: ProcessTable): void {
    const watched = [...this.#runs.values()].filter((run) => !run.hasExited && !run.isLost)
    const leaders = new Set(watched.map((run) => run.identity.pid))
    for (const entry of table.values()) {
      if (entry.alive || entry.parent !== process.pid || leaders.has(entry.pid)) continue
      if (!this.#options.isOwnChild(entry.pid)) reapChild(entry.pid)
    }
  }
}

function signalOf(name: string): NodeJS.Signals {
  const signal = parseSignal(name)
  if (signal === undefined) throw new Error(`Cannot send "${name}": this system has no such signal`)
  return signal
}
