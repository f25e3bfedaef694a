// Carries out orders and what the service machines decide, and asks them what comes next. Everything that happens is recorded
// before it is acted on, so that a daemon that dies in between is followed by one that goes on.
import type { ProjectStatus } from '@locald/protocol'
import type { ContainerFact } from '../container/container-order.ts'
import type { CheckRecord } from '../health/monitor.ts'
import type { Fact, KeeperHello, RunInfo } from '../keeper/protocol.ts'
import { differenceOf } from '../plan/difference.ts'
import { splitInstanceKey } from '../plan/instance-key.ts'
import type { Plan } from '../plan/plan.ts'
import { Attendance } from './attendance.ts'
import { Facts } from './facts.ts'
import { ForegroundStarts } from './foreground-starts.ts'
import { Idleness } from './idleness.ts'
import type { Activity } from './idleness.ts'
import { inBackgroundOf } from './in-background.ts'
import { isActive, runOf } from './instance.ts'
import { Machines } from './machines.ts'
import { Orders } from './orders.ts'
import { keysOf } from './place.ts'
import type { Slot } from './place.ts'
import { isOutdated, leavingServices, servicesToStart, withServices } from './plan-change.ts'
import { Records } from './records.ts'
import { Runs } from './runs.ts'
import type { SupervisorState } from './state.ts'
import type { NewEvent, SupervisorDependencies } from './supervisor-dependencies.ts'
import { TakeOver } from './take-over.ts'
import type { Adoption, Resumption } from './take-over.ts'

export interface UpRequest {
  readonly order: string
  readonly kind: 'up' | 'start'
  readonly plan: Plan
  /** Of the instances to bring up, dependencies included, in the order of the plan. */
  readonly keys: readonly string[]
  /** Services of them that were asked for by name: what is on request starts now. */
  readonly named: ReadonlySet<string>
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

/** The parts, by who calls whom: orders and facts feed the machines, whose steps runs, attendance and orders follow. */
export class Supervisor implements Disposable {
  readonly #deps: SupervisorDependencies
  readonly #records: Records
  readonly #machines: Machines
  readonly #runs: Runs
  readonly #attendance: Attendance
  readonly #idleness: Idleness
  readonly #foreground: ForegroundStarts
  readonly #orders: Orders
  readonly #facts: Facts
  readonly #takeOver: TakeOver

  constructor(state: SupervisorState, deps: SupervisorDependencies) {
    const records = new Records(state, deps)
    const inBackground = inBackgroundOf(records, deps.logger)
    const machines = new Machines(records, deps, {
      launch: (slot, run) => runs.launch(slot, run),
      end: (slot, run) => runs.endInTurn(slot, run),
      attend: (slot) => {
        attendance.attend(slot)
        runs.attend(slot)
        idleness.attend(slot)
      },
      exited: (slot, instance) => foreground.exited(slot, instance),
      forget: (slot) => attendance.forget(slot),
      advanceOrders: (project) => orders.advance(project),
    })
    const apply = machines.apply.bind(machines)
    const runs = new Runs(records, deps, inBackground, apply)
    const checkOf = runs.checkOf.bind(runs)
    const attendance = new Attendance(records, deps, { inBackground, apply, checkOf })
    const idleness = new Idleness(records, deps, apply)
    const foreground = new ForegroundStarts(records, deps, machines)
    const orders = new Orders(records, deps, { machines, foreground, inBackground })
    this.#deps = deps
    this.#records = records
    this.#machines = machines
    this.#runs = runs
    this.#attendance = attendance
    this.#idleness = idleness
    this.#foreground = foreground
    this.#orders = orders
    this.#facts = new Facts(records, deps, { machines, attendance, inBackground })
    this.#takeOver = new TakeOver(records, deps, { machines, runs, attendance, facts: this.#facts, foreground, orders })
  }

  get state(): SupervisorState {
    return this.#records.state
  }

  /** Whether anything runs, or will by itself. */
  get isBusy(): boolean {
    return this.#records.isBusy
  }

  /**
   * Goes on from the recorded state with what the keeper says of its runs. Call once, before any order. Returns those runs that
   * no record knows, which are being ended.
   */
  resume(hello: KeeperHello, resumption: Partial<Resumption> = {}): readonly RunInfo[] {
    return this.#takeOver.resume(hello, resumption)
  }

  /** Containers that were found later than that; where something has run since they are left alone. */
  adopt(adoptions: readonly Adoption[]): void {
    this.#takeOver.adoptLate(adoptions)
  }

  /** Facts of the keeper, in order; those already applied are passed over. */
  fact(fact: Fact): void {
    this.#facts.take(fact)
  }

  /** What became of a container. Some of it may have been told to an earlier daemon. */
  containerFact(fact: ContainerFact): void {
    this.#facts.containerFact(fact)
  }

  /** What the start of a container waits for. */
  containerProgress(run: string, message: string): void {
    this.#facts.containerProgress(run, message)
  }

  /** Whether the tree of this run waits for somebody to type. */
  inputWanted(run: string, isWanted: boolean): void {
    const slot = this.#records.slotOf(run)
    if (slot !== null) this.#machines.apply(slot, { type: 'input', run, isWanted })
  }

  /** Shows a project anew to whoever watches: its addresses, or what is said about them, have changed. */
  retell(project: string): void {
    if (this.#records.state.projects.has(project)) this.#records.retell(project)
  }

  /** A request for a service has come: it starts, with what it depends on, if it is idle. */
  requested(project: string, service: string): void {
    const planned = this.#records.state.projects.get(project)?.planned.plan.services.find((s) => s.name === service)
    if (planned === undefined) return
    this.#records.atomically(() => {
      this.#machines.atOnce(project, () => {
        for (const key of keysOf({ services: [planned] }, new Set([service]))) {
          this.#machines.apply({ project, key }, { type: 'wanted' })
        }
      })
    })
  }

  /** From now on `activity` tells of requests; none is under way. */
  countRequests(): void {
    this.#idleness.begin()
  }

  /** Requests to a service have come or ended. */
  activity(project: string, service: string, activity: Activity): void {
    this.#idleness.tell(project, service, activity)
  }

  /** Brings services up by a new plan: starts what is stopped, retries what failed, restarts what changed, ends what is gone. */
  up(request: UpRequest): void {
    this.#records.atomically(() => this.#up(request))
  }

  #up(request: UpRequest): void {
    const { plan, keys } = request
    const project = plan.id
    const before = this.#records.state.projects.get(project)
    const moved = new Set(before === undefined ? [] : differenceOf(before.planned.plan, plan).changed)
    const leaving = before === undefined ? [] : leavingServices(before, plan)
    const warnings = [...(before?.planned.notices ?? []), ...request.warnings]
    this.#records.plan({ plan, leaving, flags: request.flags, warnings, upAt: this.#deps.clock.now() })
    if (request.kind === 'start') {
      const foreground = { order: request.order, restart: request.restart, exitCode: null }
      this.#records.record(null, [{ kind: 'foreground', project, foreground }])
    }
    const record = this.#records.project(project)
    const changed = new Set(plan.services.filter((s) => moved.has(s.name) || isOutdated(s, record)).map((s) => s.name))
    const starting = servicesToStart(record, new Set(keys), changed)
    const timeoutAt = request.timeoutMs === null ? null : this.#deps.clock.now() + request.timeoutMs
    const gone = keysOf({ services: leaving }, new Set(leaving.map((s) => s.name)))
    const { order: id, kind } = request
    this.#orders.give({ id, kind, project, keys, timeoutAt, superseded: {}, leaving: gone }, () => {
      this.#machines.retire(project, gone)
      for (const key of keys) {
        const instance = this.#records.instance({ project, key })
        const name = splitInstanceKey(key).service
        if (instance === undefined) continue
        const isUnderWay = instance.state.id === 'starting' || instance.state.id === 'running'
        // A restart that was asked for and waits for its turn is not taken back.
        const restarts = record.pending.get(key) === 'restart' || (changed.has(name) && isUnderWay)
        this.#records.setPending(project, key, restarts ? 'restart' : null)
        if (restarts || !starting.has(name)) continue
        if (changed.has(name) && instance.state.id === 'serving')
          this.#machines.apply({ project, key }, { type: 'restart' })
        this.#machines.apply({ project, key }, { type: 'start' })
        if (request.named.has(name)) this.#machines.apply({ project, key }, { type: 'wanted' })
      }
    })
  }

  /** Stops instances, dependents before what they depend on. `now`: with SIGKILL at once, and all together. */
  stop(project: string, order: string, keys: readonly string[], now: boolean): void {
    this.#records.atomically(() => this.#stop(project, order, keys, now))
  }

  #stop(project: string, order: string, keys: readonly string[], now: boolean): void {
    for (const key of keys) this.#lookForSurvivors({ project, key })
    const ports = this.#orders.portsOf(project, keys)
    this.#orders.give({ id: order, kind: 'stop', project, keys, timeoutAt: null, superseded: {}, ports }, () => {
      this.#machines.retire(project, keys)
      for (const key of now ? keys : []) {
        const instance = this.#records.instance({ project, key })
        const run = instance === undefined ? null : runOf(instance)
        if (run === null) continue
        this.#records.setPending(project, key, null)
        this.#machines.apply({ project, key }, { type: 'stop' })
        this.#records.afterwards(() => this.#runs.end({ project, key }, run, 0))
      }
    })
  }

  /** What could not be ended may have ended since, by somebody who was allowed to. */
  #lookForSurvivors(slot: Slot): void {
    const survivors = this.#records.instance(slot)?.memory.survivors ?? []
    if (survivors.length === 0) return
    this.#machines.apply(slot, { type: 'survivors', survivors: this.#deps.remainingSurvivors(survivors) })
  }

  /** Restarts instances by a new plan, in the order of their dependencies; those that are stopped are started. */
  restart(request: RestartRequest): void {
    this.#records.atomically(() => this.#restart(request))
  }

  #restart({ plan, order, keys, isNamed, timeoutMs, warnings }: RestartRequest): void {
    const project = plan.id
    const { planned } = this.#records.project(project)
    const names = new Set(keys.map((key) => splitInstanceKey(key).service))
    this.#records.plan({ ...planned, plan: withServices(planned.plan, plan, names), warnings })
    const timeoutAt = timeoutMs === null ? null : this.#deps.clock.now() + timeoutMs
    this.#orders.give({ id: order, kind: 'restart', project, keys, timeoutAt, superseded: {} }, () => {
      for (const key of keys) {
        const instance = this.#records.instance({ project, key })
        if (instance !== undefined && runOf(instance) !== null) this.#records.setPending(project, key, 'restart')
        else this.#machines.apply({ project, key }, { type: isNamed ? 'restart' : 'start' })
      }
    })
  }

  /** Makes a project known without starting anything of it. */
  register(plan: Plan): void {
    this.#records.atomically(() => this.#records.plan({ plan, leaving: [], flags: {}, warnings: [] }))
  }

  pin(project: string, pinned: boolean): void {
    if (this.#records.project(project).pinned !== pinned)
      this.#records.record(null, [{ kind: 'pinned', project, pinned }])
  }

  /** Forgets a project of which nothing is active; false when that is not so. */
  forget(project: string): boolean {
    const { instances } = this.#records.project(project)
    const isBusy =
      [...instances.values()].some(isActive) ||
      [...this.#records.state.orders.values()].some((o) => o.project === project)
    if (isBusy) return false
    for (const key of instances.keys()) this.#attendance.forget({ project, key })
    const event: NewEvent = { type: 'project.removed', project, status: this.#records.status(project) }
    this.#records.record(event, [{ kind: 'project', project, planned: null }])
    return true
  }

  /** Clients that hold a foreground `start` open: one more, one less, or 0 to begin waiting for the first. */
  foregroundClient(project: string, order: string, change: 1 | 0 | -1): void {
    this.#foreground.client(project, order, change)
  }

  /** All projects as shown. */
  statuses(): readonly ProjectStatus[] {
    return this.#records.statuses()
  }

  status(project: string): ProjectStatus {
    return this.#records.status(project)
  }

  /** The project's plan as this service would be started by it now; its siblings at the ports where they were found. */
  planSeenBy(project: string, service: string): Plan {
    return this.#records.planSeenBy(project, service)
  }

  /** The last check of an instance that is watched; null when there was none yet. */
  lastCheck(project: string, key: string): CheckRecord | null {
    return this.#attendance.lastCheck(project, key)
  }

  /** Stops watching; nothing that runs is touched. */
  [Symbol.dispose](): void {
    this.#records.close()
    this.#attendance[Symbol.dispose]()
    this.#idleness[Symbol.dispose]()
    this.#orders[Symbol.dispose]()
    this.#foreground[Symbol.dispose]()
  }
}
