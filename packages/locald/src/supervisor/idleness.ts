// Ends what nobody has used for its `idle_timeout`. Used by requests, of which the proxy tells, and by services that depend on
// it: those reach it by its direct address, where nobody counts.
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import type { ServicePlan } from '../plan/plan.ts'
import { dependentsOf } from './dependencies.ts'
import type { InstanceState } from './instance.ts'
import type { ApplyInput } from './machines.ts'
import type { Slot } from './place.ts'
import type { Records } from './records.ts'
import type { SupervisorDependencies } from './supervisor-dependencies.ts'

/** What the proxy knows of the requests to a service. */
export interface Activity {
  /** Requests under way; open WebSockets count. */
  readonly open: number
  /** When the last one came or ended, milliseconds since the epoch. */
  readonly lastAt: number
}

interface Use {
  open: number
  /** While it is false, nobody has used it since `lastAt`. */
  isUsed: boolean
  lastAt: number
  cancel: (() => void) | null
}

/** Those that are about to serve, or to need what they depend on. */
const busy: ReadonlySet<InstanceState['id'] | undefined> = new Set(['waiting', 'starting', 'backoff'])

/** Not stored: the time begins anew with a new daemon, whose proxy has not seen the requests before it. */
export class Idleness implements Disposable {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'clock'>
  readonly #apply: ApplyInput
  /** By project and service. */
  readonly #uses = new Map<string, Use>()
  #isCounting = false

  constructor(records: Records, deps: Pick<SupervisorDependencies, 'clock'>, apply: ApplyInput) {
    this.#records = records
    this.#deps = deps
    this.#apply = apply
  }

  /** From now on somebody counts requests, and none is under way; before that, nothing is ended. */
  begin(): void {
    this.#isCounting = true
    for (const [project, { planned }] of this.#records.state.projects) {
      for (const { name } of planned.plan.services) {
        this.#useOf(project, name).open = 0
        this.#look(project, name)
      }
    }
  }

  /** Requests to this service have come or ended. */
  tell(project: string, service: string, { open, lastAt }: Activity): void {
    const use = this.#useOf(project, service)
    use.open = open
    use.lastAt = Math.max(use.lastAt, lastAt)
    this.#look(project, service)
  }

  /** The state of an instance is another one: that counts for it, and for what it depends on. */
  attend({ project, key }: Slot): void {
    if (!this.#isCounting) return
    const services = this.#records.state.projects.get(project)?.planned.plan.services ?? []
    const changed = splitInstanceKey(key).service
    for (const service of services) {
      if (service.config.idleTimeoutMs === undefined) continue
      const isConcerned = service.name === changed || this.#dependents(project, service).has(changed)
      if (isConcerned) this.#look(project, service.name)
    }
  }

  [Symbol.dispose](): void {
    for (const use of this.#uses.values()) use.cancel?.()
  }

  /** Has its time run, or not, by what is known now. */
  #look(project: string, name: string): void {
    const service = this.#records.state.projects.get(project)?.planned.plan.services.find((s) => s.name === name)
    const timeoutMs = service?.config.idleTimeoutMs
    const use = this.#useOf(project, name)
    use.cancel?.()
    use.cancel = null
    if (service === undefined || timeoutMs === undefined || !this.#isCounting) return
    const now = this.#deps.clock.now()
    const isUsed = use.open > 0 || this.#isNeeded(project, service)
    if (isUsed || use.isUsed) use.lastAt = now
    use.isUsed = isUsed
    if (isUsed || !this.#states(project, service).includes('running')) return
    use.cancel = this.#deps.clock.at(use.lastAt + timeoutMs, () => this.#end(project, service))
  }

  #isNeeded(project: string, service: ServicePlan): boolean {
    if (this.#states(project, service).some((id) => busy.has(id))) return true
    const { planned } = this.#records.project(project)
    const dependents = this.#dependents(project, service)
    return planned.plan.services
      .filter(({ name }) => dependents.has(name))
      .some((dependent) => this.#states(project, dependent).some((id) => busy.has(id) || isServing(id)))
  }

  #end(project: string, service: ServicePlan): void {
    for (const { instance } of service.instances) {
      this.#apply({ project, key: instanceKey(service.name, instance) }, { type: 'unused' })
    }
  }

  #dependents(project: string, { name }: ServicePlan): ReadonlySet<string> {
    return dependentsOf(this.#records.project(project).planned.plan, name)
  }

  #states(project: string, { name, instances }: ServicePlan): readonly (InstanceState['id'] | undefined)[] {
    return instances.map(
      ({ instance }) => this.#records.instance({ project, key: instanceKey(name, instance) })?.state.id,
    )
  }

  #useOf(project: string, service: string): Use {
    const key = `${project}/${service}`
    const known = this.#uses.get(key)
    if (known !== undefined) return known
    const created = { open: 0, isUsed: false, lastAt: this.#deps.clock.now(), cancel: null }
    this.#uses.set(key, created)
    return created
  }
}

function isServing(id: InstanceState['id'] | undefined): boolean {
  return id === 'running' || id === 'stopping'
}
