// How a new daemon goes on from what an earlier one recorded, with what the keeper says of its runs.
import type { ContainerIdentity } from '../container/container-order.ts'
import type { Fact, KeeperHello, RunInfo } from '../keeper/protocol.ts'
import type { Plan } from '../plan/plan.ts'
import type { Attendance } from './attendance.ts'
import type { Facts } from './facts.ts'
import type { ForegroundStarts } from './foreground-starts.ts'
import { isSpawned, newInstance, runOf } from './instance.ts'
import type { Instance, Run } from './instance.ts'
import type { Machines } from './machines.ts'
import type { Orders } from './orders.ts'
import type { Place, Slot } from './place.ts'
import type { Records } from './records.ts'
import type { Runs } from './runs.ts'
import { next } from './service-machine.ts'
import type { MachineInput } from './service-machine.ts'
import type { SupervisorDependencies } from './supervisor-dependencies.ts'

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

/** Characters of a command in a notice. */
const shownCommand = 60

/** All parts of the supervisor that go on. */
interface TakeOverParts {
  readonly machines: Machines
  readonly runs: Runs
  readonly attendance: Attendance
  readonly facts: Facts
  readonly foreground: ForegroundStarts
  readonly orders: Orders
}

export class TakeOver {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'containers' | 'logOf'>
  readonly #parts: TakeOverParts
  /** Milliseconds since the epoch. */
  #keeperSince = 0

  constructor(records: Records, deps: SupervisorDependencies, parts: TakeOverParts) {
    this.#records = records
    this.#deps = deps
    this.#parts = parts
  }

  /** See `Supervisor`. */
  resume(hello: KeeperHello, resumption: Partial<Resumption> = {}): readonly RunInfo[] {
    const { machines, foreground, orders, runs } = this.#parts
    const { projects, orders: open } = this.#records.state
    this.#records.atomically(() => {
      // Nothing follows from a part of what has become known.
      machines.holdBack(() => this.#learn(hello, resumption))
      for (const project of projects.keys()) machines.advance(project)
    })
    for (const [project, record] of projects) {
      if (record.foreground !== null) foreground.client(project, record.foreground.order, 0)
    }
    for (const order of open.values()) orders.arm(order)
    const strays = hello.runs.filter(({ run }) => this.#records.slotOf(run) === null)
    for (const run of strays) if (run.lost === undefined) runs.endStray(run)
    return strays
  }

  /** Containers that were found after that, but for those in whose place something has run since. */
  adoptLate(adoptions: readonly Adoption[]): void {
    const { machines } = this.#parts
    this.#records.atomically(() => {
      for (const { plan, runs } of adoptions) {
        const project = plan.id
        const isVacant = (key: string): boolean => (this.#records.instance({ project, key })?.memory.runs ?? 0) === 0
        const vacant = runs.filter(({ key }) => isVacant(key))
        machines.atOnce(project, () => {
          this.#adopt({ plan, runs: vacant })
          for (const { key, info } of vacant) {
            if (this.#records.slotOf(info.run) !== null) this.#resumeInstance({ project, key }, new Map())
          }
        })
      }
    })
  }

  #learn(hello: KeeperHello, resumption: Partial<Resumption>): void {
    const { facts = [], boot = '', isStopped = false, adopted = [], troubles = [] } = resumption
    const { projects } = this.#records.state
    this.#meet(hello)
    this.#leaveDown(boot, isStopped)
    for (const adoption of adopted) this.#adopt(adoption)
    for (const project of projects.keys()) for (const text of troubles) this.#records.notice(project, text)
    this.#tellLosses(hello)
    for (const fact of facts) this.#parts.facts.takeOne(fact)
    const known = new Map(hello.runs.map((run) => [run.run, run]))
    for (const [project, { instances }] of projects) {
      for (const key of instances.keys()) this.#resumeInstance({ project, key }, known)
    }
  }

  /** Facts are counted by one keeper. */
  #meet(hello: KeeperHello): void {
    this.#keeperSince = hello.startedAt
    const keeper = `${hello.pid} ${hello.startedAt}`
    if (this.#records.state.fact.keeper !== keeper) this.#records.record(null, [{ kind: 'fact', keeper, seq: 0 }])
  }

  /** After the machine was started anew only pinned projects come back, after a stop none. */
  #leaveDown(boot: string, isStopped: boolean): void {
    const before = this.#records.state.boot
    if (boot !== before) this.#records.record(null, [{ kind: 'boot', boot }])
    const isNewBoot = boot !== before && boot !== '' && before !== ''
    if (!isNewBoot && !isStopped) return
    for (const [project, { pinned, foreground, instances }] of this.#records.state.projects) {
      if (pinned && foreground === null && !isStopped) continue
      if (foreground !== null) this.#records.record(null, [{ kind: 'foreground', project, foreground: null }])
      for (const key of instances.keys()) this.#parts.machines.apply({ project, key }, { type: 'retire' })
    }
  }

  #adopt({ plan, runs }: Adoption): void {
    const project = plan.id
    if (!this.#records.state.projects.has(project)) this.#records.plan({ plan, leaving: [], flags: {}, warnings: [] })
    const adopted: string[] = []
    const replaced: string[] = []
    for (const { key, number, info } of runs) {
      const slot = { project, key }
      const place = this.#records.place(slot)
      const before = this.#records.instance(slot)
      if (place === null || before === undefined) continue // it is ended as a stray
      const { run, identity, container, startedAt: at } = info
      const fresh: Instance = { ...newInstance, memory: { ...newInstance.memory, runs: number - 1 } }
      const hash = hashOf(info) ?? place.service.hash
      const settings = { ...this.#records.settings(slot), hash }
      const isLetGo = container !== undefined && (hash !== place.service.hash || this.#isUnheard(place, info))
      const inputs: readonly MachineInput[] = [
        { type: 'start' },
        // Also what would only wait for its moment, or for somebody who wants it: it runs.
        { type: 'restart' },
        { type: 'dependencies-met', run },
        { type: 'spawned', run, identity, ...(container === undefined ? {} : { container }), at },
        ...(info.notified === undefined ? [] : [{ type: 'notified', run, ...info.notified, at } as const]),
        ...(isLetGo ? [{ type: 'restart' } as const] : []),
      ]
      const instance = inputs.reduce((known, input) => next(known, input, settings, at).instance, fresh)
      const event = isLetGo ? 'service.stopping' : 'service.spawned'
      this.#records.recordInstance(slot, event, { kind: 'instance', project, key, instance })
      const labels = isLetGo ? replaced : adopted
      labels.push(this.#records.label(slot))
    }
    const lost = 'These services were not in the journal'
    this.#noticeOf(project, `${lost}; they run on and were adopted`, adopted)
    this.#noticeOf(project, `${lost}, and their containers could not be kept; they are started anew`, replaced)
  }

  /** READY=1 is all that can make it healthy, and a keeper that was lost may have heard it: it is not said twice. */
  #isUnheard({ service }: Place, { notified, startedAt }: AdoptedRun): boolean {
    return service.config.healthCheck?.type === 'notify' && notified === undefined && startedAt < this.#keeperSince
  }

  #noticeOf(project: string, text: string, labels: readonly string[]): void {
    if (labels.length > 0) this.#records.notice(project, `${text}: ${labels.join(', ')}`)
  }

  /** What was running when the keeper was lost, and what had to be ended for that. */
  #tellLosses(hello: KeeperHello): void {
    const at = new Date(hello.startedAt).toISOString()
    for (const project of this.#records.state.projects.keys()) {
      const lost = hello.runs.filter(
        (run) => run.lost !== undefined && this.#records.slotOf(run.run)?.project === project,
      )
      const labels = lost.map((info) => {
        const slot = this.#records.slotOf(info.run)
        const pids = (info.lost?.members ?? []).map(({ pid, command }) => `${pid} ${command.slice(0, shownCommand)}`)
        const label = slot === null ? info.run : this.#records.label(slot)
        return pids.length === 0 ? `${label} (nothing)` : `${label} (${pids.join(', ')})`
      })
      for (const { run } of lost) {
        const slot = this.#records.slotOf(run)
        if (slot !== null) this.#parts.machines.apply(slot, { type: 'lost', run, isGone: false })
      }
      if (lost.length === 0) continue
      this.#records.notice(
        project,
        `The keeper was lost at ${at}, and what was left of its services was ended: ${labels.join(', ')}`,
      )
    }
  }

  #resumeInstance(slot: Slot, known: ReadonlyMap<string, RunInfo>): void {
    const { machines, runs, attendance } = this.#parts
    const instance = this.#records.instance(slot)
    const run = instance === undefined ? null : runOf(instance)
    if (instance === undefined || run === null) return attendance.attend(slot)
    if (run.container !== undefined) return this.#resumeContainer(slot, run, run.container)
    const info = known.get(run.id)
    if (info !== undefined) {
      const { identity, startedAt } = info
      if (run.identity === null) machines.apply(slot, { type: 'spawned', run: run.id, identity, at: startedAt })
      if (instance.state.id === 'stopping') this.#records.afterwards(() => runs.end(slot, run))
      return attendance.attend(slot)
    }
    // Ordered but never spawned: the daemon died in between. Anything else is gone, and how it ended was not seen.
    const wasSpawned = instance.state.id !== 'starting' || isSpawned(run)
    if (wasSpawned || !instance.memory.wanted) machines.apply(slot, { type: 'lost', run: run.id, isGone: true })
    else this.#records.afterwards(() => runs.launch(slot, run))
  }

  /** The engine is asked in the background, and what it says comes as facts. */
  #resumeContainer(slot: Slot, run: Run, container: ContainerIdentity): void {
    const place = this.#records.place(slot)
    const state = this.#records.instance(slot)?.state.id
    const isStopping = state === 'stopping'
    const isUp = state === 'running'
    this.#records.afterwards(() => {
      if (place === null) return
      const { id } = run
      this.#deps.containers.adopt({ run: id, container, log: this.#deps.logOf(place, run), isUp })
      const { pending, instances } = this.#records.project(slot.project)
      const isLeftDown = instances.get(slot.key)?.memory.wanted === false && !pending.has(slot.key)
      if (isStopping) this.#parts.runs.end(slot, run)
      else if (isLeftDown) this.#parts.machines.apply(slot, { type: 'stop' })
    })
    this.#parts.attendance.attend(slot)
  }
}

/** Of the plan that it was started by, as its tag says. */
function hashOf({ tag }: Pick<RunInfo, 'tag'>): string | null {
  return typeof tag['hash'] === 'string' ? tag['hash'] : null
}
