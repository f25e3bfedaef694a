import { hashOf } from '../lib/hash.ts'
import type { Hashable } from '../lib/hash.ts'
import type { Plan, PlanDifference, ServicePlan } from './plan.ts'

/**
 * Names in `removed` are in the order of the running plan, all others in that of the next one; no name is in two lists, and
 * one in none of them is unchanged. A service also counts as changed when one that it depends on in both plans moved to
 * another port: it was started with the old address.
 */
export function differenceOf(running: Plan, next: Plan): PlanDifference {
  const before = new Map(running.services.map((service) => [service.name, service]))
  const after = new Map(next.services.map((service) => [service.name, service]))
  const moved = new Set(
    next.services.filter(({ name, instances }) => hasMoved(before.get(name), instances)).map(({ name }) => name),
  )
  const common = next.services.flatMap((service) => {
    const old = before.get(service.name)
    return old === undefined ? [] : [{ old, service }]
  })
  const isChanged = ({ old, service }: Pair): boolean =>
    old.hash !== service.hash || sharedDependencies({ old, service }).some((name) => moved.has(name))
  return {
    added: next.services.filter(({ name }) => !before.has(name)).map(({ name }) => name),
    removed: running.services.filter(({ name }) => !after.has(name)).map(({ name }) => name),
    changed: common.filter((pair) => isChanged(pair)).map(({ service }) => service.name),
    updated: common
      .filter((pair) => !isChanged(pair) && settingsOf(pair.old) !== settingsOf(pair.service))
      .map(({ service }) => service.name),
  }
}

interface Pair {
  readonly old: ServicePlan
  readonly service: ServicePlan
}

/** Whether the address that siblings know is another one now. More or fewer replicas do not move it. */
function hasMoved(old: ServicePlan | undefined, instances: ServicePlan['instances']): boolean {
  return old !== undefined && old.instances[0]?.port !== instances[0]?.port
}

function sharedDependencies({ old, service }: Pair): readonly string[] {
  const before = new Set(old.dependsOn.map((dependency) => dependency.service))
  return service.dependsOn.map((dependency) => dependency.service).filter((name) => before.has(name))
}

/** Everything about a service but the lines it stands on. */
function settingsOf({ config, dependsOn, instances }: ServicePlan): string {
  // The round trip leaves plain data only, and drops the places, which move with every edit above them.
  const plain = JSON.parse(
    JSON.stringify({ config, dependsOn, instances }, (key, value: unknown) =>
      (key === 'place' || key === 'places') && typeof value === 'object' ? undefined : value,
    ),
  ) as Hashable
  return hashOf(plain)
}
