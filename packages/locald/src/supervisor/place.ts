// Where an instance stands: in which project, by which plan.
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from '../plan/plan.ts'
import type { ProjectPlan } from './state.ts'

/** An instance, by the id of its project and its key in it. */
export interface Slot {
  readonly project: string
  readonly key: string
}

/** An instance with everything that is planned of it. */
export interface Place {
  readonly project: ProjectPlan
  readonly service: ServicePlan
  readonly instance: InstancePlan
}

/** For use as a key. */
export function slotId(slot: Slot): string {
  return `${slot.project} ${slot.key}`
}

const known = new WeakMap<ProjectPlan, Map<string, Place | null>>()

/** Where an instance stands in the plan, or among the services that are leaving it; null when in neither. */
export function placeOf(project: ProjectPlan, key: string): Place | null {
  const places = known.get(project) ?? new Map<string, Place | null>()
  known.set(project, places)
  const place = places.get(key)
  if (place !== undefined) return place
  const found = findPlace(project, key)
  places.set(key, found)
  return found
}

function findPlace(project: ProjectPlan, key: string): Place | null {
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

/** Whether an instance is there only until it has ended. */
export function isLeaving(project: ProjectPlan, key: string): boolean {
  return !project.plan.services.some((s) => s.instances.some((i) => instanceKey(s.name, i.instance) === key))
}
