// What is known and how it is shown, and the one way to change it: every change is stored before it is acted on.
import type { ProjectStatus, ServiceEventType, ServiceSnapshot } from '@locald/protocol'
import { hasToBeHealthy, runsToItsEnd } from '../plan/service-kind.ts'
import { splitInstanceKey } from '../plan/instance-key.ts'
import type { Plan } from '../plan/plan.ts'
import { dependencyVerdict, isAwaitedToEnd, labelOf } from './dependencies.ts'
import { outdatedSiblings, planAsFound } from './found-ports.ts'
import { isActive, newInstance, runOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { keysOf, placeOf } from './place.ts'
import type { Place, Slot } from './place.ts'
import { defaultSettings } from './service-machine.ts'
import type { MachineSettings } from './service-machine.ts'
import { snapshotOf } from './snapshot.ts'
import { applyChange } from './state.ts'
import type { Change, PendingEnd, ProjectPlan, ProjectRecord, SupervisorState } from './state.ts'
import type { NewEvent, SupervisorDependencies } from './supervisor-dependencies.ts'

const noticesKept = 5

/** Of all projects. What it is given to record is in the state at once, and in the journal before `afterwards` comes. */
export class Records {
  readonly state: SupervisorState
  readonly #deps: Pick<SupervisorDependencies, 'record' | 'batch' | 'warningsOf' | 'publicUrlOf'>
  /** What is to be done once what led to it is stored; null when nothing is being recorded. */
  #effects: (() => void)[] | null = null
  #isClosed = false

  constructor(state: SupervisorState, deps: SupervisorDependencies) {
    this.state = state
    this.#deps = deps
  }

  /** Nothing is to be changed any more: another daemon goes on from here. */
  get isClosed(): boolean {
    return this.#isClosed
  }

  close(): void {
    this.#isClosed = true
  }

  /** One thing happens, with all that follows from it: stored as a whole, and only then acted on. */
  atomically(work: () => void): void {
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

  /** Acts as soon as everything that is being recorded is stored: now, when nothing is. */
  afterwards(act: () => void): void {
    if (this.#effects === null) act()
    else this.#effects.push(act)
  }

  /** Shown with the project's warnings until the next `up` has shown it. */
  notice(project: string, notice: string): void {
    const { planned } = this.project(project)
    const changed: ProjectPlan = { ...planned, notices: [...(planned.notices ?? []), notice].slice(-noticesKept) }
    applyChange(this.state, { kind: 'project', project, planned: changed })
    const event: NewEvent = { type: 'project.planned', project, status: this.status(project) }
    this.#deps.record(event, [{ kind: 'project', project, planned: changed }])
  }

  /** Shows a project anew, of which something changed that is not recorded with it. */
  retell(project: string): void {
    this.#deps.record({ type: 'project.planned', project, status: this.status(project) }, [])
  }

  /** Records a change of one instance with the event that shows it; null for an event: none is told, for a change: only told. */
  recordInstance(slot: Slot, type: ServiceEventType | null, change: Change | null): void {
    // Applied first, so that the snapshot in the event shows it.
    if (change !== null) applyChange(this.state, change)
    const snapshot = type === null ? null : this.snapshot(slot)
    const event: NewEvent | null =
      type === null || snapshot === null
        ? null
        : { type, project: slot.project, ...splitInstanceKey(slot.key), snapshot }
    this.#deps.record(event, change === null ? [] : [change])
  }

  record(event: NewEvent | null, changes: readonly Change[]): void {
    for (const change of changes) applyChange(this.state, change)
    this.#deps.record(event, changes)
  }

  /** Takes over a plan, with an instance for everything in it. */
  plan(planned: ProjectPlan): void {
    const project = planned.plan.id
    const planning: Change = { kind: 'project', project, planned }
    applyChange(this.state, planning)
    const known = this.project(project).instances
    const all = keysOf(planned.plan, new Set(planned.plan.services.map((s) => s.name)))
    const created = all
      .filter((key) => !known.has(key))
      .map((key): Change => ({ kind: 'instance', project, key, instance: newInstance }))
    for (const change of created) applyChange(this.state, change)
    this.#deps.record({ type: 'project.planned', project, status: this.status(project) }, [planning, ...created])
  }

  setPending(project: string, key: string, end: PendingEnd | null): void {
    if ((this.project(project).pending.get(key) ?? null) === end) return
    this.record(null, [{ kind: 'pending', project, key, end }])
  }

  snapshot(slot: Slot): ServiceSnapshot | null {
    const record = this.state.projects.get(slot.project)
    const instance = record?.instances.get(slot.key)
    const place = this.place(slot)
    if (record === undefined || instance === undefined || place === null) return null
    const verdict = instance.state.id === 'waiting' ? dependencyVerdict(place.service, record) : null
    const unmet = verdict?.verdict === 'waiting' ? verdict.unmet : []
    const outdated = place.instance.instance === 1 ? outdatedSiblings(record, place.service) : []
    const publicUrl = this.#deps.publicUrlOf(place.project.plan, place.service.name)
    return snapshotOf(place.service, place.instance, instance, { unmet, outdated, publicUrl })
  }

  settings(slot: Slot): MachineSettings {
    const place = this.place(slot)
    if (place === null) return defaultSettings
    const { config, hash } = place.service
    const foreground = this.project(slot.project).foreground
    return {
      isTask: runsToItsEnd(config),
      isSite: config.site !== undefined,
      hasToServe: hasToBeHealthy(config) && !isAwaitedToEnd(place.project.plan, config.name),
      restart: foreground !== null && !foreground.restart ? 'never' : config.restart,
      startTimeoutMs: config.startTimeoutMs,
      onUnhealthy: config.onUnhealthy,
      stopSignal: config.stopSignal,
      hash,
      schedule: config.schedule ?? null,
      isOnRequest: config.start === 'on-request',
      endsUnused: config.idleTimeoutMs !== undefined,
    }
  }

  place(slot: Slot): Place | null {
    const planned = this.state.projects.get(slot.project)?.planned
    return planned === undefined ? null : placeOf(planned, slot.key)
  }

  label(slot: Slot): string {
    const place = this.place(slot)
    return place === null ? slot.key : labelOf(place.service, place.instance.instance)
  }

  instance(slot: Slot): Instance | undefined {
    return this.state.projects.get(slot.project)?.instances.get(slot.key)
  }

  project(id: string): ProjectRecord {
    const record = this.state.projects.get(id)
    if (record === undefined) throw new Error(`Unknown project ${id}`)
    return record
  }

  /** The instance that this run belongs to; null when no record knows it. */
  slotOf(run: string): Slot | null {
    for (const [project, { instances }] of this.state.projects) {
      for (const [key, instance] of instances) if (runOf(instance)?.id === run) return { project, key }
    }
    return null
  }

  status(project: string): ProjectStatus {
    const { planned, instances } = this.project(project)
    const { plan, warnings } = planned
    const position = new Map(plan.config.services.map((s, index) => [s.name, index]))
    const services = [...instances.keys()]
      .flatMap((key) => this.snapshot({ project, key }) ?? [])
      .sort((a, b) => (position.get(a.name) ?? 0) - (position.get(b.name) ?? 0) || a.instance - b.instance)
    const all = [...warnings, ...(planned.notices ?? []), ...this.#deps.warningsOf(project)]
    return { id: project, project: plan.name, root: plan.root, file: plan.file, services, warnings: all }
  }

  /** All projects as shown. */
  statuses(): readonly ProjectStatus[] {
    return [...this.state.projects.keys()].map((id) => this.status(id))
  }

  /** The project's plan as this service would be started by it now; its siblings at the ports where they were found. */
  planSeenBy(project: string, service: string): Plan {
    return planAsFound(this.project(project), service)
  }

  /** Whether anything runs, or will by itself. */
  get isBusy(): boolean {
    return [...this.state.projects.values()].some((p) => [...p.instances.values()].some(isActive))
  }
}
