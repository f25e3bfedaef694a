// Carries out what the service machines decide, and asks them what comes next. Everything that happens is recorded before it
// is acted on, so that a daemon that dies in between is followed by one that goes on.
import { constants } from 'node:os'
import type { LocaldEvent, OrderOutcome, ProjectStatus, ServiceEventType, ServiceSnapshot } from '@locald/protocol'
import type {
  ContainerFact,
  ContainerIdentity,
  ContainerOrder,
  ContainerRunner,
  OutputTarget,
} from '../container/container-order.ts'
import type { CheckRecord, HealthMonitor, HealthReport, HealthSubject } from '../health/monitor.ts'
import type { ProbeSpec } from '../health/probe-spec.ts'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { Fact, KeeperHello, RunInfo, SpawnOrder } from '../keeper/protocol.ts'
import type { Logger } from '../lib/logger.ts'
import type { ServiceConfig } from '../config/config.ts'
import { unreachable } from '../lib/unreachable.ts'
import { differenceOf } from '../plan/difference.ts'
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from '../plan/plan.ts'
import { referredSiblings } from '../plan/referred-siblings.ts'
import { Attendants } from './attendants.ts'
import type { Clock } from './attendants.ts'
import { dependencyVerdict, dependentsOf, labelOf } from './dependencies.ts'
import type { DependencyVerdict } from './dependencies.ts'
import { outdatedSiblings, planAsFound } from './found-ports.ts'
import { isActive, isSpawned, newInstance, runOf } from './instance.ts'
import type { Instance, Run } from './instance.ts'
import { progressOf } from './order-progress.ts'
import type { OrderProgress } from './order-progress.ts'
import { defaultSettings, dueAt, isFileWatched, isWatched, next } from './service-machine.ts'
import type { MachineInput, MachineSettings } from './service-machine.ts'
import { snapshotOf } from './snapshot.ts'
import { applyChange } from './state.ts'
import type { Change, Order, PendingEnd, ProjectPlan, ProjectRecord, SupervisorState } from './state.ts'

/** An event before it has a number and a time. */
export type NewEvent = LocaldEvent extends infer E ? (E extends LocaldEvent ? Omit<E, 'seq' | 'at'> : never) : never

/** What is needed to spawn a run, gathered at the last moment. */
export type Prepared =
  | {
      readonly ok: true
      readonly order: SpawnOrder | ContainerOrder
      readonly check: PreparedCheck
      /** Differs from the plan when somebody took the assigned port meanwhile. */
      readonly port: number | null
    }
  | { readonly ok: false; readonly reason: string }

/** The health check of a run with its references replaced, and the environment that a command check runs in. */
export interface PreparedCheck {
  readonly check?: ProbeSpec
  readonly env: Readonly<Record<string, string>>
}

export interface SupervisorDependencies {
  readonly keeper: KeeperLink
  /** Runs services that are containers, as the keeper runs the others. */
  readonly containers: ContainerRunner
  readonly startContainerMonitor: (
    subject: ContainerSubject,
    place: Place,
    report: (report: HealthReport) => void,
  ) => HealthMonitor
  /** Where the output of an instance goes. */
  readonly logOf: (place: Place, run: Run) => OutputTarget
  /** Stores changes and, when there is one, the event that shows them; both before anything is done about them. */
  readonly record: (event: NewEvent | null, changes: readonly Change[]) => void
  /** What `work` records is stored as a whole or not at all. Not nested. */
  readonly batch: (work: () => void) => void
  /** `siblings` is the plan with the ports at which the others were found. */
  readonly prepare: (place: Place, run: Run, siblings: Plan) => Promise<Prepared>
  readonly startMonitor: (subject: HealthSubject, report: (report: HealthReport) => void) => HealthMonitor
  /** For a run that an earlier daemon spawned; otherwise it comes with what was prepared. */
  readonly prepareCheck: (place: Place, siblings: Plan) => Promise<PreparedCheck>
  /** Watches the files of a service that has `watch`; those that changed `since` then (milliseconds since the epoch) count. */
  readonly watchFiles: (place: Place, since: number, report: (report: FileReport) => void) => Disposable
  /** What there is to say about recording at present, with the warnings of every project. */
  readonly logWarnings: () => readonly string[]
  /** Which of these ports somebody listens on, with who that is; gives those who are about to let go a moment. */
  readonly heldPorts: (ports: ReadonlySet<number>) => Promise<ReadonlyMap<number, string>>
  /** Which of the processes that could not be ended are still there. */
  readonly remainingSurvivors: (survivors: readonly string[]) => readonly string[]
  readonly newRunId: () => string
  readonly clock: Clock
  readonly logger: Logger
}

/** What became of the files that a service watches. */
export type FileReport =
  | { readonly type: 'files-changed'; readonly files: readonly string[] }
  /** They cannot be watched, now or ever. */
  | { readonly type: 'watch-failed'; readonly reason: string }

/** A container whose health is watched. */
export interface ContainerSubject {
  readonly run: string
  readonly startedAt: number
  readonly check?: ProbeSpec
  readonly wasHealthy: boolean
  readonly wasNotified: boolean
}

/** An instance with everything that is planned of it. */
export interface Place {
  readonly project: ProjectPlan
  readonly service: ServicePlan
  readonly instance: InstancePlan
}

export interface UpRequest {
  readonly order: string
  readonly kind: 'up' | 'start'
  readonly plan: Plan
  /** Names of the services to bring up, dependencies included. */
  readonly services: ReadonlySet<string>
  readonly flags: Readonly<Record<string, string>>
  readonly timeoutMs: number | null
  /** start: apply the restart policy. */
  readonly restart: boolean
  readonly warnings: readonly string[]
}

export interface RestartRequest extends Pick<UpRequest, 'order' | 'plan' | 'timeoutMs' | 'warnings'> {
  readonly keys: readonly string[]
  /** They were asked for by name: what is scheduled runs now. */
  readonly isNamed: boolean
}

/** What a new daemon goes on from, beside the journal and the greeting of the keeper. */
export interface Resumption {
  /** What the keeper has told since: in order, and perhaps already applied. */
  readonly facts: readonly Fact[]
  /** See `bootId`. */
  readonly boot: string
  /** Everything was stopped meanwhile, on request. */
  readonly isStopped: boolean
  /** What is known of the runs that no journal knows. */
  readonly adopted: readonly Adoption[]
  /** What was wrong with the journal, for people. */
  readonly troubles: readonly string[]
}

/** Runs of one project that the journal does not know, with a plan to keep them by. */
export interface Adoption {
  readonly plan: Plan
  readonly runs: readonly { readonly key: string; readonly number: number; readonly info: AdoptedRun }[]
}

/** A run of the keeper's, or a container. */
export type AdoptedRun = Pick<RunInfo, 'run' | 'tag' | 'startedAt' | 'notified'> & {
  readonly identity: RunInfo['identity'] | null
  readonly container?: ContainerIdentity
}

/** A foreground `start` without a client for this long is stopped. */
const foregroundGraceMs = 5_000
const interrupted = 130
const noticesKept = 5
/** Characters of a command in a notice. */
const shownCommand = 60

/** An instance, by the id of its project and its key in it. */
interface Slot {
  readonly project: string
  readonly key: string
}

export class Supervisor implements Disposable {
  readonly #deps: SupervisorDependencies
  readonly #state: SupervisorState
  readonly #attendants: Attendants
  readonly #orderTimers = new Map<string, () => void>()
  readonly #foregroundTimers = new Map<string, () => void>()
  readonly #foregroundClients = new Map<string, number>()
  /** Of runs that are being spawned, by run id. */
  readonly #checks = new Map<string, PreparedCheck>()
  /** The run of each instance whose watchdog this daemon has armed. */
  readonly #armed = new Map<string, string>()
  /** The unmet dependencies last told of a waiting instance. */
  readonly #told = new Map<string, string>()
  /** Orders to stop whose ports are being looked at. */
  readonly #verified = new Set<string>()
  /** While an order is being given out: nothing follows from the half of it. */
  #isOrdering = false
  /** What is to be done once what led to it is stored; null when nothing is being recorded. */
  #effects: (() => void)[] | null = null
  #disposed = false

  constructor(state: SupervisorState, deps: SupervisorDependencies) {
    this.#state = state
    this.#deps = deps
    this.#attendants = new Attendants(deps.clock)
  }

  get state(): SupervisorState {
    return this.#state
  }

  /** Whether anything runs, or will by itself. */
  get isBusy(): boolean {
    return [...this.#state.projects.values()].some((p) => [...p.instances.values()].some(isActive))
  }

  /** Goes on from the recorded state with what the keeper says of its runs. Call once, before any order. */
  resume(hello: KeeperHello, resumption: Partial<Resumption> = {}): void {
    const { facts = [], boot = '', isStopped = false, adopted = [], troubles = [] } = resumption
    this.#atomically(() => {
      // Nothing follows from a part of what has become known.
      this.#isOrdering = true
      this.#meet(hello)
      this.#leaveDown(boot, isStopped)
      for (const adoption of adopted) this.#adopt(adoption)
      for (const project of this.#state.projects.keys()) for (const text of troubles) this.#notice(project, text)
      this.#tellLosses(hello)
      for (const fact of facts) this.#take(fact)
      const known = new Map(hello.runs.map((run) => [run.run, run]))
      for (const [project, record] of this.#state.projects) {
        for (const key of record.instances.keys()) this.#resumeInstance({ project, key }, known)
      }
      this.#isOrdering = false
      for (const project of this.#state.projects.keys()) this.#advance(project)
    })
    for (const [project, record] of this.#state.projects) {
      if (record.foreground !== null) this.foregroundClient(project, record.foreground.order, 0)
    }
    for (const order of this.#state.orders.values()) this.#armOrder(order)
    const strays = hello.runs.filter((run) => run.lost === undefined && this.#slotOf(run.run) === null)
    for (const run of strays) this.#endStray(run)
  }

  /** Facts are counted by one keeper. */
  #meet(hello: KeeperHello): void {
    const keeper = `${hello.pid} ${hello.startedAt}`
    if (this.#state.fact.keeper !== keeper) this.#record(null, [{ kind: 'fact', keeper, seq: 0 }])
  }

  /** After the machine was started anew only pinned projects come back, after a stop none. */
  #leaveDown(boot: string, isStopped: boolean): void {
    const before = this.#state.boot
    if (boot !== before) this.#record(null, [{ kind: 'boot', boot }])
    const isNewBoot = boot !== before && boot !== '' && before !== ''
    if (!isNewBoot && !isStopped) return
    for (const [project, { pinned, foreground, instances }] of this.#state.projects) {
      if (pinned && foreground === null && !isStopped) continue
      if (foreground !== null) this.#record(null, [{ kind: 'foreground', project, foreground: null }])
      for (const key of instances.keys()) this.#apply({ project, key }, { type: 'retire' })
    }
  }

  #adopt({ plan, runs }: Adoption): void {
    const project = plan.id
    if (!this.#state.projects.has(project)) this.#plan({ plan, leaving: [], flags: {}, warnings: [] })
    const adopted: string[] = []
    for (const { key, number, info } of runs) {
      const slot = { project, key }
      const place = this.#place(slot)
      const before = this.#instance(slot)
      if (place === null || before === undefined) continue // it is ended as a stray
      const { run, identity, container, startedAt: at } = info
      const fresh: Instance = { ...newInstance, memory: { ...newInstance.memory, runs: number - 1 } }
      const settings = { ...this.#settings(slot), hash: hashOf(info) ?? place.service.hash }
      const inputs: readonly MachineInput[] = [
        { type: 'start' },
        { type: 'dependencies-met', run },
        { type: 'spawned', run, identity, ...(container === undefined ? {} : { container }), at },
        ...(info.notified === undefined ? [] : [{ type: 'notified', run, ...info.notified, at } as const]),
      ]
      const instance = inputs.reduce((known, input) => next(known, input, settings, at).instance, fresh)
      this.#recordInstance(slot, 'service.spawned', { kind: 'instance', project, key, instance })
      adopted.push(this.#label(slot))
    }
    if (adopted.length === 0) return
    this.#notice(project, `These services were not in the journal; they run on and were adopted: ${adopted.join(', ')}`)
  }

  /** What was running when the keeper was lost, and what had to be ended for that. */
  #tellLosses(hello: KeeperHello): void {
    const at = new Date(hello.startedAt).toISOString()
    for (const project of this.#state.projects.keys()) {
      const lost = hello.runs.filter((run) => run.lost !== undefined && this.#slotOf(run.run)?.project === project)
      const labels = lost.map((info) => {
        const slot = this.#slotOf(info.run)
        const pids = (info.lost?.members ?? []).map(({ pid, command }) => `${pid} ${command.slice(0, shownCommand)}`)
        const label = slot === null ? info.run : this.#label(slot)
        return pids.length === 0 ? `${label} (nothing)` : `${label} (${pids.join(', ')})`
      })
      for (const { run } of lost) {
        const slot = this.#slotOf(run)
        if (slot !== null) this.#apply(slot, { type: 'lost', run, isGone: false })
      }
      if (lost.length === 0) continue
      this.#notice(
        project,
        `The keeper was lost at ${at}, and what was left of its services was ended: ${labels.join(', ')}`,
      )
    }
  }

  /** Shown with the project's warnings until the next `up` has shown it. */
  #notice(project: string, notice: string): void {
    const { planned } = this.#project(project)
    const changed: ProjectPlan = { ...planned, notices: [...(planned.notices ?? []), notice].slice(-noticesKept) }
    applyChange(this.#state, { kind: 'project', project, planned: changed })
    const event: NewEvent = { type: 'project.planned', project, status: this.status(project) }
    this.#deps.record(event, [{ kind: 'project', project, planned: changed }])
  }

  #resumeInstance(slot: Slot, known: ReadonlyMap<string, RunInfo>): void {
    const instance = this.#instance(slot)
    const run = instance === undefined ? null : runOf(instance)
    if (instance === undefined || run === null) return this.#attend(slot)
    if (run.container !== undefined) return this.#resumeContainer(slot, run, run.container)
    const info = known.get(run.id)
    if (info !== undefined) {
      const { identity, startedAt } = info
      if (run.identity === null) this.#apply(slot, { type: 'spawned', run: run.id, identity, at: startedAt })
      if (instance.state.id === 'stopping') this.#afterwards(() => this.#end(slot, run))
      return this.#attend(slot)
    }
    // Ordered but never spawned: the daemon died in between. Anything else is gone, and how it ended was not seen.
    const wasSpawned = instance.state.id !== 'starting' || isSpawned(run)
    if (wasSpawned || !instance.memory.wanted) this.#apply(slot, { type: 'lost', run: run.id, isGone: true })
    else this.#afterwards(() => this.#launch(slot, run))
  }

  /** The engine is asked in the background, and what it says comes as facts. */
  #resumeContainer(slot: Slot, run: Run, container: ContainerIdentity): void {
    const place = this.#place(slot)
    const isStopping = this.#instance(slot)?.state.id === 'stopping'
    this.#afterwards(() => {
      if (place === null) return
      const { id } = run
      this.#deps.containers.adopt({
        run: id,
        container,
        log: this.#deps.logOf(place, run),
      })
      const { pending, instances } = this.#project(slot.project)
      const isLeftDown = instances.get(slot.key)?.memory.wanted === false && !pending.has(slot.key)
      if (isStopping) this.#end(slot, run)
      else if (isLeftDown) this.#apply(slot, { type: 'stop' })
    })
    this.#attend(slot)
  }

  /** What became of a container. Some of it may have been told to an earlier daemon. */
  containerFact(fact: ContainerFact): void {
    const slot = this.#slotOf(fact.run)
    const state = slot === null ? undefined : this.#instance(slot)?.state
    if (slot === null || state === undefined || this.#disposed) return
    const { run } = fact
    const hasExited = state.id === 'stopping' && state.exit !== null
    switch (fact.type) {
      case 'exited': {
        const { code, signal, reason, at } = fact
        if (!hasExited) this.#apply(slot, { type: 'exited', run, code, signal, reason, at, members: 0 })
        return
      }
      case 'killed':
        return this.#apply(slot, { type: 'killed', run })
      case 'emptied':
        return this.#apply(slot, { type: 'emptied', run, survivors: fact.survivors })
      case 'lost':
        return this.#apply(slot, { type: 'lost', run, isGone: true })
      default:
        unreachable(fact)
    }
  }

  /** What the start of a container waits for. */
  containerProgress(run: string, message: string): void {
    const slot = this.#slotOf(run)
    if (slot !== null && !this.#disposed) this.#apply(slot, { type: 'preparing', run, message })
  }

  /** A run that no record knows: nobody could ever stop it, so it is ended now. */
  #endStray(run: RunInfo): void {
    this.#deps.logger.log('warn', 'Ending a run that is not in the journal', { run: run.run, tag: run.tag })
    this.#ask(this.#deps.keeper.request('end', { run: run.run, signal: 'SIGTERM', scope: 'group', timeoutMs: 10_000 }))
  }

  /** Facts of the keeper, in order; those already applied are passed over. */
  fact(fact: Fact): void {
    if (!this.#disposed) this.#atomically(() => this.#take(fact))
  }

  #take(fact: Fact): void {
    if (fact.seq > this.#state.fact.seq) {
      const slot = this.#slotOf(fact.run)
      if (slot === null) this.#record(null, [{ kind: 'fact', seq: fact.seq }])
      else {
        this.#apply(slot, inputOf(fact), fact.seq)
        if (isReadiness(fact)) this.#attendants.monitorOf(idOf(slot))?.notified()
      }
    }
    this.#afterwards(() => this.#ask(this.#deps.keeper.request('ack', { seq: fact.seq })))
  }

  /** One thing happens, with all that follows from it: stored as a whole, and only then acted on. */
  #atomically(work: () => void): void {
    if (this.#effects !== null) return work()
    const effects: (() => void)[] = []
    this.#effects = effects
    try {
      this.#deps.batch(work)
    } finally {
      this.#effects = null
      for (const act of effects) act()
    }
  }

  #afterwards(act: () => void): void {
    if (this.#effects === null) act()
    else this.#effects.push(act)
  }

  /** Brings services up by a new plan: starts what is stopped, retries what failed, restarts what changed, ends what is gone. */
  up(request: UpRequest): void {
    this.#atomically(() => this.#up(request))
  }

  #up(request: UpRequest): void {
    const { plan } = request
    const project = plan.id
    const before = this.#state.projects.get(project)
    const moved = new Set(before === undefined ? [] : differenceOf(before.planned.plan, plan).changed)
    const leaving = before === undefined ? [] : leavingServices(before, plan)
    const warnings = [...(before?.planned.notices ?? []), ...request.warnings]
    this.#plan({ plan, leaving, flags: request.flags, warnings, upAt: this.#deps.clock.now() })
    if (request.kind === 'start') {
      const foreground = { order: request.order, restart: request.restart, exitCode: null }
      this.#record(null, [{ kind: 'foreground', project, foreground }])
    }
    const changed = new Set(
      plan.services.filter((s) => moved.has(s.name) || this.#isOutdated(project, s)).map((s) => s.name),
    )
    const starting = this.#servicesToStart(project, request.services, changed)
    const keys = keysOf(plan, request.services)
    const timeoutAt = request.timeoutMs === null ? null : this.#deps.clock.now() + request.timeoutMs
    const gone = keysOf({ services: leaving }, new Set(leaving.map((s) => s.name)))
    const { order: id, kind } = request
    this.#order({ id, kind, project, keys, timeoutAt, superseded: {}, leaving: gone }, () => {
      this.#retire(project, gone)
      for (const key of keys) {
        const instance = this.#instance({ project, key })
        const name = splitInstanceKey(key).service
        if (instance === undefined) continue
        const restarts = changed.has(name) && (instance.state.id === 'starting' || instance.state.id === 'running')
        this.#setPending(project, key, restarts ? 'restart' : null)
        if (!restarts && starting.has(name)) this.#apply({ project, key }, { type: 'start' })
      }
    })
  }

  /** Whether an instance of it runs by another definition than the plan's, however long that has been so. */
  #isOutdated(project: string, service: ServicePlan): boolean {
    return service.instances.some(({ instance }) => {
      const known = this.#instance({ project, key: instanceKey(service.name, instance) })
      const run = known === undefined ? null : runOf(known)
      const hash = run?.hash ?? (known?.state.id === 'completed' ? known.memory.completedHash : null)
      return hash !== null && hash !== service.hash
    })
  }

  /** A completed task runs again only when one that depends on it is about to start, or when its definition changed. */
  #servicesToStart(project: string, wanted: ReadonlySet<string>, changed: ReadonlySet<string>): ReadonlySet<string> {
    const { planned, instances } = this.#project(project)
    const states = (service: ServicePlan): readonly (Instance | undefined)[] =>
      service.instances.map((i) => instances.get(instanceKey(service.name, i.instance)))
    const isDone = (service: ServicePlan): boolean =>
      service.config.type === 'task' && states(service).every((i) => i?.state.id === 'completed')
    const isIdle = (service: ServicePlan): boolean => states(service).some((i) => i === undefined || !isActive(i))
    const inScope = planned.plan.services.filter((s) => wanted.has(s.name))
    const starting = new Set(inScope.filter((s) => !isDone(s)).map((s) => s.name))
    for (const task of inScope.filter(isDone)) {
      const dependents = dependentsOf(planned.plan, task.name)
      const needed = inScope.some((s) => dependents.has(s.name) && !isDone(s) && (isIdle(s) || changed.has(s.name)))
      if (needed || changed.has(task.name)) starting.add(task.name)
    }
    return starting
  }

  /** Stops instances, dependents before what they depend on. `now`: with SIGKILL at once, and all together. */
  stop(project: string, order: string, keys: readonly string[], now: boolean): void {
    this.#atomically(() => this.#stop(project, order, keys, now))
  }

  #stop(project: string, order: string, keys: readonly string[], now: boolean): void {
    for (const key of keys) this.#lookForSurvivors({ project, key })
    const ports = this.#portsOf(project, keys)
    this.#order({ id: order, kind: 'stop', project, keys, timeoutAt: null, superseded: {}, ports }, () => {
      this.#retire(project, keys)
      for (const key of now ? keys : []) {
        const instance = this.#instance({ project, key })
        const run = instance === undefined ? null : runOf(instance)
        if (run === null) continue
        this.#setPending(project, key, null)
        this.#apply({ project, key }, { type: 'stop' })
        this.#afterwards(() => this.#end({ project, key }, run, 0))
      }
    })
  }

  /** What could not be ended may have ended since, by somebody who was allowed to. */
  #lookForSurvivors(slot: Slot): void {
    const survivors = this.#instance(slot)?.memory.survivors ?? []
    if (survivors.length === 0) return
    this.#apply(slot, { type: 'survivors', survivors: this.#deps.remainingSurvivors(survivors) })
  }

  /** Nothing of these starts any more, and those with processes are ended when their turn has come. */
  #retire(project: string, keys: readonly string[]): void {
    for (const key of keys) {
      this.#apply({ project, key }, { type: 'retire' })
      const state = this.#instance({ project, key })?.state.id
      if (state === 'starting' || state === 'running') this.#setPending(project, key, 'stop')
    }
  }

  /** Restarts instances by a new plan, in the order of their dependencies; those that are stopped are started. */
  restart(request: RestartRequest): void {
    this.#atomically(() => this.#restart(request))
  }

  #restart({ plan, order, keys, isNamed, timeoutMs, warnings }: RestartRequest): void {
    const project = plan.id
    const { planned } = this.#project(project)
    const names = new Set(keys.map((key) => splitInstanceKey(key).service))
    this.#plan({ ...planned, plan: withServices(planned.plan, plan, names), warnings })
    const timeoutAt = timeoutMs === null ? null : this.#deps.clock.now() + timeoutMs
    this.#order({ id: order, kind: 'restart', project, keys, timeoutAt, superseded: {} }, () => {
      for (const key of keys) {
        const instance = this.#instance({ project, key })
        if (instance !== undefined && runOf(instance) !== null) this.#setPending(project, key, 'restart')
        else this.#apply({ project, key }, { type: isNamed ? 'restart' : 'start' })
      }
    })
  }

  /** Makes a project known without starting anything of it. */
  register(plan: Plan): void {
    this.#atomically(() => this.#plan({ plan, leaving: [], flags: {}, warnings: [] }))
  }

  pin(project: string, pinned: boolean): void {
    if (this.#project(project).pinned !== pinned) this.#record(null, [{ kind: 'pinned', project, pinned }])
  }

  /** Forgets a project of which nothing is active; false when that is not so. */
  forget(project: string): boolean {
    const { instances } = this.#project(project)
    const isBusy =
      [...instances.values()].some(isActive) || [...this.#state.orders.values()].some((o) => o.project === project)
    if (isBusy) return false
    for (const key of instances.keys()) this.#attendants.forget(idOf({ project, key }))
    const event: NewEvent = { type: 'project.removed', project, status: this.status(project) }
    this.#record(event, [{ kind: 'project', project, planned: null }])
    return true
  }

  /** Clients that hold a foreground `start` open: one more, one less, or 0 to begin waiting for the first. */
  foregroundClient(project: string, order: string, change: 1 | 0 | -1): void {
    const clients = (this.#foregroundClients.get(order) ?? 0) + change
    this.#foregroundClients.set(order, clients)
    this.#foregroundTimers.get(order)?.()
    this.#foregroundTimers.delete(order)
    if (clients > 0) return
    const cancel = this.#deps.clock.at(this.#deps.clock.now() + foregroundGraceMs, () => {
      this.#foregroundTimers.delete(order)
      this.#foregroundClients.delete(order)
      if (this.#state.projects.get(project)?.foreground?.order === order) this.#endForeground(project, interrupted)
    })
    this.#foregroundTimers.set(order, cancel)
  }

  /** All projects as shown. */
  statuses(): readonly ProjectStatus[] {
    return [...this.#state.projects.keys()].map((id) => this.status(id))
  }

  status(project: string): ProjectStatus {
    const { planned, instances } = this.#project(project)
    const { plan, warnings } = planned
    const position = new Map(plan.config.services.map((s, index) => [s.name, index]))
    const services = [...instances.keys()]
      .flatMap((key) => this.#snapshot({ project, key }) ?? [])
      .sort((a, b) => (position.get(a.name) ?? 0) - (position.get(b.name) ?? 0) || a.instance - b.instance)
    const all = [...warnings, ...(planned.notices ?? []), ...this.#deps.logWarnings()]
    return { id: project, project: plan.name, root: plan.root, file: plan.file, services, warnings: all }
  }

  /** Whether the tree of this run waits for somebody to type. */
  inputWanted(run: string, isWanted: boolean): void {
    const slot = this.#slotOf(run)
    if (slot !== null) this.#apply(slot, { type: 'input', run, isWanted })
  }

  /** What an instance waits for; null when there is no such instance. */
  verdict(project: string, key: string): DependencyVerdict | null {
    const place = this.#place({ project, key })
    return place === null ? null : dependencyVerdict(place.service, this.#project(project))
  }

  /** The project's plan as this service would be started by it now; its siblings at the ports where they were found. */
  planSeenBy(project: string, service: string): Plan {
    return planAsFound(this.#project(project), service)
  }

  /** The last check of an instance that is watched; null when there was none yet. */
  lastCheck(project: string, key: string): CheckRecord | null {
    return this.#attendants.monitorOf(idOf({ project, key }))?.lastCheck ?? null
  }

  /** Stops watching; nothing that runs is touched. */
  [Symbol.dispose](): void {
    this.#disposed = true
    this.#attendants[Symbol.dispose]()
    for (const cancel of [...this.#orderTimers.values(), ...this.#foregroundTimers.values()]) cancel()
  }

  #apply(slot: Slot, input: MachineInput, fact?: number): void {
    this.#atomically(() => this.#applyNow(slot, input, fact))
  }

  #applyNow(slot: Slot, input: MachineInput, fact?: number): void {
    const before = this.#instance(slot)
    if (before === undefined || this.#disposed) return
    const step = next(before, input, this.#settings(slot), this.#deps.clock.now())
    if (step.instance !== before || fact !== undefined) {
      const { project, key } = slot
      const change: Change = {
        kind: 'instance',
        project,
        key,
        instance: step.instance,
        ...(fact === undefined ? {} : { fact }),
      }
      this.#recordInstance(slot, step.event, change)
    }
    for (const effect of step.effects) {
      this.#afterwards(() => (effect.type === 'spawn' ? this.#launch(slot, effect.run) : this.#end(slot, effect.run)))
    }
    if (step.instance === before) return
    this.#attend(slot)
    this.#afterChange(slot, before, step.instance)
  }

  #afterChange(slot: Slot, before: Instance, after: Instance): void {
    const record = this.#project(slot.project)
    const { service } = splitInstanceKey(slot.key)
    if (after.state.id === 'stopping' && before.state.id !== 'stopping' && after.memory.wanted) {
      this.#restartWith(slot.project, service)
    }
    this.#tellAddresses(slot, before, after)
    // One that was asked to end, to be started again, is not the end of a foreground `start`.
    const exited = after.state.id === 'stopping' && after.state.exit !== null && after.state.signalled === null
    if ((exited || after.state.id === 'failed') && before.state !== after.state) this.#foregroundExit(slot, after)
    if (!isActive(after) && isLeaving(record.planned, slot.key)) this.#remove(slot)
    this.#advance(slot.project)
  }

  /** Dependents that asked for it are restarted with what they depend on. */
  #restartWith(project: string, service: string): void {
    const { planned, instances } = this.#project(project)
    for (const dependent of planned.plan.services) {
      if (!dependent.dependsOn.some((d) => d.service === service && d.restartWith)) continue
      for (const { instance } of dependent.instances) {
        const key = instanceKey(dependent.name, instance)
        const state = instances.get(key)?.state.id
        if (state === 'running' || state === 'starting') this.#setPending(project, key, 'restart')
      }
    }
  }

  /** Who was told an old port is a warning of the service that was found at another: it begins and ends with a run. */
  #tellAddresses(slot: Slot, before: Instance, after: Instance): void {
    if ((runOf(before) === null) === (runOf(after) === null)) return
    const { planned, instances } = this.#project(slot.project)
    const told = runOf(after) === null ? before.memory.told : after.memory.told
    for (const [service, port] of Object.entries(told)) {
      const key = instanceKey(service, 1)
      const found = instances.get(key)?.memory.ports[0]
      const isPlanned = planned.plan.services.some((s) => s.name === service)
      if (isPlanned && found !== undefined && found !== port) {
        this.#recordInstance({ project: slot.project, key }, 'service.updated', null)
      }
    }
  }

  #remove(slot: Slot): void {
    const snapshot = this.#snapshot(slot)
    const { project, key } = slot
    this.#attendants.forget(idOf(slot))
    this.#setPending(project, key, null)
    const event: NewEvent | null =
      snapshot === null ? null : { type: 'service.removed', project, ...splitInstanceKey(key), snapshot }
    this.#record(event, [{ kind: 'instance', project, key, instance: null }])
  }

  /** Whatever may have become possible by the last change: ends whose turn has come, starts, orders that are over. */
  #advance(project: string): void {
    const record = this.#state.projects.get(project)
    if (record === undefined || this.#disposed || this.#isOrdering) return
    for (const [key, end] of record.pending) this.#advanceEnd({ project, key }, end)
    for (const [key, instance] of record.instances) {
      if (instance.state.id === 'waiting' && !record.pending.has(key)) this.#advanceStart({ project, key })
    }
    for (const order of this.#state.orders.values()) if (order.project === project) this.#advanceOrder(order)
  }

  #advanceStart(slot: Slot): void {
    const place = this.#place(slot)
    if (place === null) return
    const verdict = dependencyVerdict(place.service, this.#project(slot.project))
    switch (verdict.verdict) {
      case 'met':
        this.#told.delete(idOf(slot))
        return this.#apply(slot, { type: 'dependencies-met', run: this.#deps.newRunId() })
      case 'failed':
        return this.#apply(slot, { type: 'dependency-failed', reason: verdict.reason })
      case 'waiting': {
        const news = verdict.unmet.map((u) => `${u.service} ${u.reason}`).join('\n')
        if (this.#told.get(idOf(slot)) === news) return
        this.#told.set(idOf(slot), news)
        return this.#recordInstance(slot, 'service.updated', null)
      }
      default:
        return unreachable(verdict)
    }
  }

  /** The turn of a pending end has come when no dependent that is to be ended too has processes any more. */
  #advanceEnd(slot: Slot, end: PendingEnd): void {
    const { planned, pending, instances } = this.#project(slot.project)
    const isInTheWay = (key: string): boolean => {
      const instance = instances.get(key)
      if (instance === undefined || runOf(instance) === null) return false
      return pending.has(key) || instance.state.id === 'stopping'
    }
    const dependents = dependentsOf(planned.plan, splitInstanceKey(slot.key).service)
    if (keysOf(planned.plan, dependents).some(isInTheWay)) return
    this.#setPending(slot.project, slot.key, null)
    this.#apply(slot, { type: end })
  }

  #progressOf(order: Order): OrderProgress {
    const record = this.#project(order.project)
    return progressOf(order, {
      instances: record.instances,
      pending: record.pending,
      blockedBy: (key) => this.#blockedBy({ project: order.project, key }, new Set()),
      labelOf: (key) => this.#label({ project: order.project, key }),
    })
  }

  #advanceOrder(order: Order): void {
    const progress = this.#progressOf(order)
    if (progress.open) return
    if (order.ports === undefined || order.ports.length === 0 || progress.outcome === 'superseded') {
      return this.#endOrder(order, progress.outcome, progress.problems)
    }
    // Everything is down: its ports must be free, too.
    if (this.#verified.has(order.id)) return
    this.#verified.add(order.id)
    const { id, ports } = order
    this.#afterwards(() => this.#ask(this.#endStop(id, ports)))
  }

  /** Names who still listens on a port of what was stopped; a port that was the service's own is left over. */
  async #endStop(id: string, ports: NonNullable<Order['ports']>): Promise<void> {
    const held = await this.#heldPorts(new Set(ports.map(({ port }) => port)))
    const order = this.#state.orders.get(id)
    this.#verified.delete(id)
    if (order === undefined || this.#disposed) return
    const progress = this.#progressOf(order)
    if (progress.open) return
    if (progress.outcome === 'superseded') {
      return this.#atomically(() => this.#endOrder(order, progress.outcome, progress.problems))
    }
    const listening = ports.flatMap(({ label, port, isOwn }) => {
      const holder = held.get(port)
      return holder === undefined ? [] : [{ isOwn, text: `${label}: ${holder} listens on port ${port}` }]
    })
    const isLeft = progress.outcome === 'failed' || listening.some(({ isOwn }) => isOwn)
    const problems = [...progress.problems, ...listening.map(({ text }) => text)]
    this.#atomically(() => this.#endOrder(order, isLeft ? 'failed' : 'done', problems))
  }

  /** None, when that cannot be found out: it must not keep a stop from ending. */
  async #heldPorts(ports: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
    try {
      return await this.#deps.heldPorts(ports)
    } catch (error) {
      this.#deps.logger.log('warn', 'Cannot see who listens on the ports of what was stopped', { error })
      return new Map()
    }
  }

  /** Ports of those that have processes: where they were seen listening, and those that were meant for them. */
  #portsOf(project: string, keys: readonly string[]): NonNullable<Order['ports']> {
    return keys.flatMap((key) => {
      const instance = this.#instance({ project, key })
      const place = this.#place({ project, key })
      if (instance === undefined || place === null || runOf(instance) === null) return []
      const label = this.#label({ project, key })
      const own = instance.memory.ports.map((port) => ({ key, label, port, isOwn: true }))
      const { port } = place.instance
      return port === null || instance.memory.ports.includes(port) ? own : [...own, { key, label, port, isOwn: false }]
    })
  }

  /** The end of the chain of waiting: something that does not move by itself. */
  #blockedBy(slot: Slot, seen: Set<string>): string | null {
    const { project } = slot
    const verdict = seen.has(slot.key) ? null : this.verdict(project, slot.key)
    seen.add(slot.key)
    if (verdict?.verdict !== 'waiting') return null
    const { pending, instances } = this.#project(project)
    for (const unmet of verdict.unmet) {
      if (pending.has(unmet.key)) continue
      const state = instances.get(unmet.key)?.state
      const isStuck =
        state === undefined ||
        state.id === 'stopped' ||
        state.id === 'scheduled' ||
        (state.id === 'starting' && state.overdue) ||
        (state.id === 'running' && !state.healthy)
      if (isStuck) return `${unmet.service} (${unmet.reason})`
      const deeper = state.id === 'waiting' ? this.#blockedBy({ project, key: unmet.key }, seen) : null
      if (deeper !== null) return deeper
    }
    return null
  }

  #order(order: Order, giveOut: () => void): void {
    this.#accept(order)
    this.#armOrder(order)
    this.#atOnce(order.project, giveOut)
  }

  /** Only when all of it is done is looked at what follows. */
  #atOnce(project: string, work: () => void): void {
    this.#isOrdering = true
    try {
      work()
    } finally {
      this.#isOrdering = false
    }
    this.#advance(project)
  }

  /** A later order of the opposite kind takes over; two that want the same go on side by side. */
  #accept(order: Order): void {
    for (const earlier of this.#state.orders.values()) {
      const conflicts = earlier.project === order.project && (earlier.kind === 'stop') !== (order.kind === 'stop')
      const taken = conflicts ? earlier.keys.filter((key) => order.keys.includes(key)) : []
      if (taken.length === 0) continue
      const superseded = { ...earlier.superseded, ...Object.fromEntries(taken.map((key) => [key, order.kind])) }
      this.#record(null, [{ kind: 'order', order: { ...earlier, superseded } }])
    }
    const { id, kind, project, keys } = order
    const services = keys.map((key) => this.#label({ project, key }))
    this.#record({ type: 'order.accepted', project, order: id, kind, services }, [{ kind: 'order', order }])
  }

  #armOrder(order: Order): void {
    if (order.timeoutAt === null) return
    const cancel = this.#deps.clock.at(order.timeoutAt, () => {
      const current = this.#state.orders.get(order.id)
      if (current === undefined) return
      const { project } = order
      const late = order.keys.filter((key) => !isUp(this.#instance({ project, key })))
      const problems = late.map((key) => `${this.#label({ project, key })}: not healthy in time`)
      this.#atomically(() => this.#endOrder(current, 'timeout', problems))
    })
    this.#orderTimers.set(order.id, cancel)
  }

  #endOrder(order: Order, outcome: OrderOutcome, problems: readonly string[]): void {
    this.#orderTimers.get(order.id)?.()
    this.#orderTimers.delete(order.id)
    const { id, kind, project } = order
    const { foreground } = this.#project(project)
    const held = foreground?.order === id
    this.#record(
      {
        type: 'order.ended',
        project,
        order: id,
        kind,
        outcome,
        problems,
        ...(held ? { exit_code: foreground.exitCode ?? 0 } : {}),
      },
      [{ kind: 'order-ended', order: { id, kind, project, outcome, problems } }],
    )
    if (!held) return
    this.#foregroundTimers.get(id)?.()
    this.#foregroundTimers.delete(id)
    this.#foregroundClients.delete(id)
    this.#record(null, [{ kind: 'foreground', project, foreground: null }])
  }

  /** Foreman's way: the first exit of anything but a task that succeeded ends everything. */
  #foregroundExit(slot: Slot, { state, memory }: Instance): void {
    const { foreground } = this.#project(slot.project)
    if (foreground === null || foreground.restart || foreground.exitCode !== null || !memory.wanted) return
    const { exit } = memory
    const config = this.#place(slot)?.service.config
    if (config?.schedule !== undefined) return
    const isTask = config?.type === 'task'
    if (isTask && exit?.code === 0 && state.id !== 'failed') return
    this.#endForeground(slot.project, exitCodeOf(state.id === 'failed', exit))
  }

  #endForeground(project: string, exitCode: number): void {
    const { foreground, instances } = this.#project(project)
    if (foreground === null) return
    this.#atomically(() => {
      this.#record(null, [{ kind: 'foreground', project, foreground: { ...foreground, exitCode } }])
      this.#atOnce(project, () => this.#retire(project, [...instances.keys()]))
    })
  }

  #launch(slot: Slot, run: Run): void {
    this.#spawn(slot, run).catch((error: unknown) => {
      this.#deps.logger.log('error', 'Cannot spawn', { ...slot, error })
      this.#apply(slot, {
        type: 'refused',
        run: run.id,
        reason: error instanceof Error ? error.message : String(error),
      })
    })
  }

  async #spawn(slot: Slot, run: Run): Promise<void> {
    const refuse = (reason: string): void => this.#apply(slot, { type: 'refused', run: run.id, reason })
    const place = this.#place(slot)
    if (place === null) return refuse('removed from the configuration')
    const siblings = this.planSeenBy(slot.project, place.service.name)
    const prepared = await this.#deps.prepare(place, run, siblings)
    const current = this.#instance(slot)
    // It may have been stopped while its files were read.
    if (this.#disposed || current?.state.id !== 'starting' || current.state.run.id !== run.id) return refuse('stopped')
    if (!prepared.ok) return refuse(prepared.reason)
    if (prepared.port !== place.instance.port) {
      this.#record(null, [{ kind: 'port', ...slot, port: prepared.port }])
    }
    this.#apply(slot, { type: 'prepared', run: run.id, told: referredSiblings(siblings, place.service) })
    this.#checks.set(run.id, prepared.check)
    if ('image' in prepared.order) return await this.#spawnContainer(slot, prepared.order)
    const result = await this.#deps.keeper.request('spawn', prepared.order)
    if (result.ok) this.#apply(slot, { type: 'spawned', run: run.id, identity: result.identity, at: result.startedAt })
    this.#checks.delete(run.id)
    if (result.ok) return
    // A daemon before this one spawned it already; the fact tells the rest.
    if (result.reason !== 'duplicate') refuse(result.message)
  }

  async #spawnContainer(slot: Slot, order: ContainerOrder): Promise<void> {
    const { run } = order
    const result = await this.#deps.containers.spawn(order)
    if (this.#disposed) return
    if (result.ok) {
      const { container, startedAt } = result
      this.#apply(slot, { type: 'spawned', run, identity: null, container, at: startedAt })
    } else this.#apply(slot, { type: 'refused', run, reason: result.message })
    this.#checks.delete(run)
  }

  #end(slot: Slot, run: Run, timeoutMs?: number): void {
    const config = this.#place(slot)?.service.config
    const container = {
      run: run.id,
      signal: config?.container?.stopSignal ?? null,
      timeoutMs: timeoutMs ?? (config === undefined ? 10_000 : config.stopTimeoutMs),
    }
    if (this.#deps.containers.end(container)) return
    if (run.container !== undefined) return this.#apply(slot, { type: 'lost', run: run.id, isGone: true })
    const request = this.#deps.keeper.request('end', {
      run: run.id,
      signal: config?.stopSignal ?? 'SIGTERM',
      scope: config?.stopScope ?? 'group',
      timeoutMs: timeoutMs ?? (config === undefined ? 10_000 : config.stopTimeoutMs),
    })
    this.#ask(
      request.then(({ known }) => {
        const state = this.#instance(slot)?.state
        // One without an identity is still being prepared: `#spawn` finds out by itself.
        if (known || state?.id !== 'stopping' || state.run.id !== run.id || state.run.identity === null) return
        this.#apply(slot, { type: 'lost', run: run.id, isGone: true })
      }),
    )
  }

  /** Brings timer and monitor of an instance in line with its state. */
  #attend(slot: Slot): void {
    const instance = this.#instance(slot)
    const place = this.#place(slot)
    if (instance === undefined || place === null) return this.#attendants.forget(idOf(slot))
    const { state } = instance
    this.#attendants.wake(idOf(slot), dueAt(state), () => this.#apply(slot, { type: 'due' }))
    const run = place.service.config.type !== 'task' && isWatched(state) ? runOf(instance) : null
    const identity = run?.identity ?? null
    const { config } = place.service
    this.#attendToFiles(slot, place, instance)
    if (run !== null && config.watchdogMs !== undefined && state.id === 'running') this.#armWatchdog(slot, run)
    // Another definition of its health holds at once, without another run.
    const watched = run === null ? null : `${run.id} ${healthKey(config)}`
    this.#attendants.watch(idOf(slot), watched, (ready) => {
      if (run === null) return
      // It may have come before there was a monitor, or to another daemon.
      const wasNotified = this.#instance(slot)?.memory.notify?.isReady === true
      const wasHealthy = instance.memory.readyAfterMs !== null
      const { id, startedAt } = run
      const report = (news: HealthReport): void => this.#report(slot, id, news)
      const begin = ({ check, env }: PreparedCheck): void =>
        ready(() => {
          const known = { run: id, startedAt, wasHealthy, wasNotified, ...(check === undefined ? {} : { check }) }
          if (identity === null) return this.#deps.startContainerMonitor(known, place, report)
          return this.#deps.startMonitor(
            {
              ...known,
              identity,
              port: place.instance.port,
              listening: config.listening,
              portDiscovery: config.portDiscovery,
              env,
              cwd: config.workdir,
            },
            report,
          )
        })
      const prepared = this.#checks.get(run.id)
      if (prepared !== undefined) begin(prepared)
      else if (config.healthCheck === undefined) begin({ env: {} })
      else this.#ask(this.#deps.prepareCheck(place, this.planSeenBy(slot.project, place.service.name)).then(begin))
    })
  }

  #attendToFiles(slot: Slot, place: Place, instance: Instance): void {
    const { watch } = place.service.config
    // Whoever waits has not read any of them yet, or is watched already: for its next run.
    if (instance.state.id === 'waiting') return
    const isWatched = watch.length > 0 && isFileWatched(instance)
    const since = instance.memory.startedAt ?? this.#deps.clock.now()
    this.#attendants.watchFiles(idOf(slot), isWatched ? watch.join('\n') : null, () =>
      this.#deps.watchFiles(place, since, (report) => this.#apply(slot, report)),
    )
  }

  #report(slot: Slot, run: string, report: HealthReport): void {
    if (report.type === 'healthy') {
      const { source, message, ports, warnings } = report
      return this.#apply(slot, { type: 'healthy', run, source, message, ports, warnings })
    }
    const { type, source, message, output } = report
    this.#apply(slot, { type, run, source, message, output: output ?? null })
  }

  /** It is up, so that it has to give signs of life, also when it never said so itself. */
  #armWatchdog(slot: Slot, run: Run): void {
    if (this.#armed.get(idOf(slot)) === run.id) return
    this.#armed.set(idOf(slot), run.id)
    this.#afterwards(() => this.#ask(this.#deps.keeper.request('watchdog', { run: run.id })))
  }

  /** For what has no answer to wait for. The keeper being gone is told by its link; anything else is logged. */
  #ask(promise: Promise<unknown>): void {
    promise.catch((error: unknown) => {
      if (!this.#disposed) this.#deps.logger.log('warn', 'A request came to nothing', { error })
    })
  }

  #recordInstance(slot: Slot, type: ServiceEventType | null, change: Change | null): void {
    // Applied first, so that the snapshot in the event shows it.
    if (change !== null) applyChange(this.#state, change)
    const snapshot = type === null ? null : this.#snapshot(slot)
    const event: NewEvent | null =
      type === null || snapshot === null
        ? null
        : { type, project: slot.project, ...splitInstanceKey(slot.key), snapshot }
    this.#deps.record(event, change === null ? [] : [change])
  }

  #record(event: NewEvent | null, changes: readonly Change[]): void {
    for (const change of changes) applyChange(this.#state, change)
    this.#deps.record(event, changes)
  }

  /** Takes over a plan, with an instance for everything in it. */
  #plan(planned: ProjectPlan): void {
    const project = planned.plan.id
    const planning: Change = { kind: 'project', project, planned }
    applyChange(this.#state, planning)
    const known = this.#project(project).instances
    const all = keysOf(planned.plan, new Set(planned.plan.services.map((s) => s.name)))
    const created = all
      .filter((key) => !known.has(key))
      .map((key): Change => ({ kind: 'instance', project, key, instance: newInstance }))
    for (const change of created) applyChange(this.#state, change)
    this.#deps.record({ type: 'project.planned', project, status: this.status(project) }, [planning, ...created])
  }

  #setPending(project: string, key: string, end: PendingEnd | null): void {
    if ((this.#project(project).pending.get(key) ?? null) === end) return
    this.#record(null, [{ kind: 'pending', project, key, end }])
  }

  #snapshot(slot: Slot): ServiceSnapshot | null {
    const record = this.#state.projects.get(slot.project)
    const instance = record?.instances.get(slot.key)
    const place = this.#place(slot)
    if (record === undefined || instance === undefined || place === null) return null
    const verdict = instance.state.id === 'waiting' ? dependencyVerdict(place.service, record) : null
    const unmet = verdict?.verdict === 'waiting' ? verdict.unmet : []
    const outdated = place.instance.instance === 1 ? outdatedSiblings(record, place.service) : []
    return snapshotOf(place.service, place.instance, instance, { unmet, outdated })
  }

  #settings(slot: Slot): MachineSettings {
    const place = this.#place(slot)
    if (place === null) return defaultSettings
    const { config, hash } = place.service
    const foreground = this.#project(slot.project).foreground
    return {
      isTask: config.type === 'task',
      restart: foreground !== null && !foreground.restart ? 'never' : config.restart,
      startTimeoutMs: config.startTimeoutMs,
      onUnhealthy: config.onUnhealthy,
      stopSignal: config.stopSignal,
      hash,
      schedule: config.schedule ?? null,
    }
  }

  #place(slot: Slot): Place | null {
    const planned = this.#state.projects.get(slot.project)?.planned
    return planned === undefined ? null : placeOf(planned, slot.key)
  }

  #label(slot: Slot): string {
    const place = this.#place(slot)
    return place === null ? slot.key : labelOf(place.service, place.instance.instance)
  }

  #instance(slot: Slot): Instance | undefined {
    return this.#state.projects.get(slot.project)?.instances.get(slot.key)
  }

  #project(id: string): ProjectRecord {
    const record = this.#state.projects.get(id)
    if (record === undefined) throw new Error(`Unknown project ${id}`)
    return record
  }

  #slotOf(run: string): Slot | null {
    for (const [project, { instances }] of this.#state.projects) {
      for (const [key, instance] of instances) if (runOf(instance)?.id === run) return { project, key }
    }
    return null
  }
}

/** Where an instance stands in the plan, or among the services that are leaving it; null when in neither. */
export function placeOf(project: ProjectPlan, key: string): Place | null {
  const { service: name, instance: number } = splitInstanceKey(key)
  for (const services of [project.plan.services, project.leaving]) {
    const service = services.find((s) => s.name === name)
    const instance = service?.instances.find((i) => i.instance === number)
    if (service !== undefined && instance !== undefined) return { project, service, instance }
  }
  return null
}

/** Keys of all instances of these services, in the order of the plan. */
export function keysOf(plan: Pick<Plan, 'services'>, names: ReadonlySet<string>): readonly string[] {
  return plan.services
    .filter((s) => names.has(s.name))
    .flatMap((s) => s.instances.map((i) => instanceKey(s.name, i.instance)))
}

/** What a new plan no longer holds of an old one but still runs, reduced to the instances that go. */
function leavingServices(before: ProjectRecord, plan: Plan): readonly ServicePlan[] {
  const kept = new Set(keysOf(plan, new Set(plan.services.map((s) => s.name))))
  return [...before.planned.plan.services, ...before.planned.leaving].flatMap((service) => {
    const instances = service.instances.filter((i) => {
      const key = instanceKey(service.name, i.instance)
      return !kept.has(key) && before.instances.has(key)
    })
    return instances.length === 0 ? [] : [{ ...service, instances }]
  })
}

/** The running plan with these services as they are in the next one; the others keep what they were started with. */
function withServices(running: Plan, next: Plan, names: ReadonlySet<string>): Plan {
  const added = next.services.filter((s) => names.has(s.name) && !running.services.some((r) => r.name === s.name))
  const services = running.services.map((s) =>
    names.has(s.name) ? (next.services.find((n) => n.name === s.name) ?? s) : s,
  )
  return { ...next, services: [...services, ...added] }
}

function isLeaving(project: ProjectPlan, key: string): boolean {
  return !project.plan.services.some((s) => s.instances.some((i) => instanceKey(s.name, i.instance) === key))
}

function isUp(instance: Instance | undefined): boolean {
  const id = instance?.state.id
  return id === 'completed' || id === 'scheduled' || (instance?.state.id === 'running' && instance.state.healthy)
}

const healthKeys = new WeakMap<ServiceConfig, string>()

/** Equal for definitions by which the health of a run is watched in the same way. */
function healthKey(config: ServiceConfig): string {
  const known = healthKeys.get(config)
  if (known !== undefined) return known
  const { healthCheck = null, listening, portDiscovery } = config
  const key = JSON.stringify([healthCheck, listening, portDiscovery])
  healthKeys.set(config, key)
  return key
}

/** Of the plan that it was started by, as its tag says. */
function hashOf({ tag }: Pick<RunInfo, 'tag'>): string | null {
  return typeof tag['hash'] === 'string' ? tag['hash'] : null
}

function exitCodeOf(failed: boolean, exit: Instance['memory']['exit']): number {
  if (exit?.code !== null && exit?.code !== undefined) return failed && exit.code === 0 ? 1 : exit.code
  const signal = exit?.signal ?? null
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1]
  return number === undefined ? 1 : 128 + number
}

function isReadiness(fact: Fact): boolean {
  return fact.type === 'notified' && fact.fields['READY'] === '1'
}

function inputOf(fact: Fact): MachineInput {
  const { run, at } = fact
  switch (fact.type) {
    case 'spawned':
      return { type: 'spawned', run, identity: fact.identity, at }
    case 'exited':
      return { type: 'exited', run, code: fact.code, signal: fact.signal, at, members: fact.members.length }
    case 'killed':
      return { type: 'killed', run }
    case 'emptied':
      return { type: 'emptied', run, survivors: fact.survivors.map((s) => `${s.pid} (${s.command}): ${s.reason}`) }
    case 'notified':
      return { type: 'notified', run, fields: fact.fields, sender: fact.sender, at }
    case 'notify-refused': {
      const { reason, fields, sender, count } = fact
      return { type: 'notify-refused', run, reason, fields, sender, count, at }
    }
    case 'watchdog':
      return { type: 'watchdog', run, is: fact.is, periodMs: fact.periodMs }
    default:
      return unreachable(fact)
  }
}

function idOf(slot: Slot): string {
  return `${slot.project} ${slot.key}`
}
