// What a new plan means for what runs by the one before it. Pure.
import { instanceKey } from '../plan/instance-key.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { dependentsOf } from './dependencies.ts'
import { isActive, runOf } from './instance.ts'
import type { Instance } from './instance.ts'
import { keysOf } from './place.ts'
import type { ProjectRecord } from './state.ts'

/** What a new plan no longer holds of an old one but still runs, reduced to the instances that go. */
export function leavingServices(before: ProjectRecord, plan: Plan): readonly ServicePlan[] {
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
export function withServices(running: Plan, next: Plan, names: ReadonlySet<string>): Plan {
  const added = next.services.filter((s) => names.has(s.name) && !running.services.some((r) => r.name === s.name))
  const services = running.services.map((s) =>
    names.has(s.name) ? (next.services.find((n) => n.name === s.name) ?? s) : s,
  )
  return { ...next, services: [...services, ...added] }
}

/** Whether an instance of it runs by another definition than the plan's, however long that has been so. */
export function isOutdated(service: ServicePlan, { instances }: Pick<ProjectRecord, 'instances'>): boolean {
  return service.instances.some(({ instance }) => {
    const known = instances.get(instanceKey(service.name, instance))
    const run = known === undefined ? null : runOf(known)
    const hash =
      run?.hash ??
      (known?.state.id === 'completed' || known?.state.id === 'serving' ? known.memory.completedHash : null)
    return hash !== null && hash !== service.hash
  })
}

/**
 * Of the services with one of these instances. A completed task runs again only when one that depends on it is about to start,
 * or when its definition changed.
 */
export function servicesToStart(
  { planned, instances }: Pick<ProjectRecord, 'planned' | 'instances'>,
  keys: ReadonlySet<string>,
  changed: ReadonlySet<string>,
): ReadonlySet<string> {
  const keysIn = ({ name, instances: all }: ServicePlan): readonly string[] =>
    all.map((i) => instanceKey(name, i.instance)).filter((key) => keys.has(key))
  const states = (service: ServicePlan): readonly (Instance | undefined)[] =>
    keysIn(service).map((key) => instances.get(key))
  const isDone = (service: ServicePlan): boolean =>
    service.config.type === 'task' && states(service).every((i) => i?.state.id === 'completed')
  const isIdle = (service: ServicePlan): boolean => states(service).some((i) => i === undefined || !isActive(i))
  const inScope = planned.plan.services.filter((s) => keysIn(s).length > 0)
  const starting = new Set(inScope.filter((s) => !isDone(s)).map((s) => s.name))
  for (const task of inScope.filter(isDone)) {
    const dependents = dependentsOf(planned.plan, task.name)
    const needed = inScope.some((s) => dependents.has(s.name) && !isDone(s) && (isIdle(s) || changed.has(s.name)))
    if (needed || changed.has(task.name)) starting.add(task.name)
  }
  return starting
}

/** Of these services those that an `up` leaves idle: it names none of them, and nothing that it starts needs them. */
export function servicesLeftIdle(
  plan: Plan,
  instances: ReadonlyMap<string, Instance>,
  { wanted, named }: { readonly wanted: ReadonlySet<string>; readonly named: ReadonlySet<string> },
): ReadonlySet<string> {
  const states = ({ name, instances: planned }: ServicePlan): readonly (Instance | undefined)[] =>
    planned.map(({ instance }) => instances.get(instanceKey(name, instance)))
  const mayRest = ({ config }: ServicePlan, instance: Instance | undefined): boolean => {
    if (config.start === 'on-request') return instance === undefined || !underWay.has(instance.state.id)
    return config.idleTimeoutMs !== undefined && instance?.state.id === 'idle'
  }
  const inScope = plan.services.filter(({ name }) => wanted.has(name))
  const resting = inScope.filter((s) => !named.has(s.name) && states(s).every((instance) => mayRest(s, instance)))
  const starting = inScope.filter(
    (s) => !resting.includes(s) && states(s).some((instance) => instance === undefined || runOf(instance) === null),
  )
  const isNeeded = ({ name }: ServicePlan): boolean =>
    starting.some((other) => dependentsOf(plan, name).has(other.name))
  return new Set(resting.filter((s) => !isNeeded(s)).map(({ name }) => name))
}

const underWay: ReadonlySet<Instance['state']['id']> = new Set(['waiting', 'starting', 'running', 'backoff'])
