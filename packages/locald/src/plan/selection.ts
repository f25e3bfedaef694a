// Which instances an order is about.
import { LocaldError } from '@locald/protocol'
import { nearestName } from '../lib/nearest-name.ts'
import { instanceKey } from './instance-key.ts'
import type { InstancePlan, Plan, ServicePlan } from './plan.ts'

/**
 * `named`: those given, or all of the project when none is. `needed`: with everything they depend on, at any distance.
 */
export type SelectionScope = 'named' | 'needed'

/**
 * In the order of the plan. `names` are services (`web`) or instances (`web.2`); a service's whole name wins over an
 * instance that looks the same. Throws `service_unknown`.
 */
export function selectInstances(plan: Plan, names: readonly string[], scope: SelectionScope): readonly InstancePlan[] {
  const named =
    names.length === 0
      ? plan.services.flatMap(({ instances }) => instances)
      : names.flatMap((name) => instancesNamed(plan, name))
  const needed = scope === 'named' ? [] : dependenciesOf(plan, new Set(named.map(({ service }) => service)))
  const selected = new Set([...named, ...needed].map((instance) => instanceKey(instance.service, instance.instance)))
  return plan.services
    .flatMap(({ instances }) => instances)
    .filter((instance) => selected.has(instanceKey(instance.service, instance.instance)))
}

function instancesNamed(plan: Plan, name: string): readonly InstancePlan[] {
  const whole = serviceNamed(plan, name)
  if (whole !== undefined) return whole.instances
  const [, serviceName = '', number = ''] = /^(.+)\.(\d+)$/.exec(name) ?? []
  const service = serviceNamed(plan, serviceName)
  if (service === undefined) {
    throw unknownService(
      plan.name,
      name,
      plan.services.map((each) => each.name),
    )
  }
  const instance = service.instances.find((candidate) => String(candidate.instance) === number)
  if (instance !== undefined) return [instance]
  throw unknownInstance(serviceName, number, service.instances.length)
}

function serviceNamed(plan: Plan, name: string): ServicePlan | undefined {
  return plan.services.find((service) => service.name === name)
}

/** The refusal of a name that is none of these services'. */
export function unknownService(project: string, name: string, names: readonly string[]): LocaldError {
  const nearest = nearestName(name, names)
  const all = names.length === 0 ? 'It has no services' : `The services are: ${[...new Set(names)].join(', ')}`
  return new LocaldError('service_unknown', `There is no service "${name}" in the project "${project}"`, {
    hint: nearest === undefined ? all : `Did you mean "${nearest}"?`,
  })
}

/** The refusal of `web.7` where there are fewer. */
export function unknownInstance(service: string, number: string, count: number): LocaldError {
  return new LocaldError('service_unknown', `There is no instance ${number} of the service "${service}"`, {
    hint: count === 1 ? `It has one instance: "${service}"` : `It has ${count}, counted from 1`,
  })
}

/** All instances of the services that these depend on, directly or not. */
function dependenciesOf(plan: Plan, roots: ReadonlySet<string>): readonly InstancePlan[] {
  const found = new Set<string>()
  const pending = [...roots]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    for (const { service } of serviceNamed(plan, name)?.dependsOn ?? []) {
      if (found.has(service)) continue
      found.add(service)
      pending.push(service)
    }
  }
  return plan.services.filter(({ name }) => found.has(name)).flatMap(({ instances }) => instances)
}
