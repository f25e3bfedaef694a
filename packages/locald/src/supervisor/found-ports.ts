// Where services were found listening, and what that means for their siblings.
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { labelOf } from './dependencies.ts'
import { runOf } from './instance.ts'
import type { ProjectRecord } from './state.ts'

type Siblings = Pick<ProjectRecord, 'planned' | 'instances'>

/**
 * The plan as a service is to see it that is started now: its siblings where they listen, by port and address, or were found
 * last by the same definition; the service itself at the port that it is given.
 */
export function planAsFound({ planned: { plan }, instances }: Siblings, ownName: string): Plan {
  const services = plan.services.map((service) => {
    if (service.name === ownName) return service
    const found = service.instances.map((planned) => {
      const { found = null, ports = [] } = instances.get(instanceKey(service.name, planned.instance))?.memory ?? {}
      if (planned.port === null || found === null) return planned
      const { port, host, hash } = found
      if ((ports.length === 0 && hash !== service.hash) || (port === planned.port && host === undefined)) return planned
      return { ...planned, port, ...(host === undefined ? {} : { host }) }
    })
    return found.some((one, index) => one !== service.instances[index]) ? { ...service, instances: found } : service
  })
  return services.some((one, index) => one !== plan.services[index]) ? { ...plan, services } : plan
}

/** Labels of running instances that were started with another port of this service than the one it listens on. */
export function outdatedSiblings({ planned, instances }: Siblings, { name }: ServicePlan): readonly string[] {
  const port = instances.get(instanceKey(name, 1))?.memory.ports[0]
  if (port === undefined) return []
  const outdated: string[] = []
  for (const [key, instance] of instances) {
    const told = instance.memory.told[name]
    if (told === undefined || told === port || runOf(instance) === null) continue
    const { service, instance: number } = splitInstanceKey(key)
    const sibling = planned.plan.services.find((one) => one.name === service)
    if (sibling !== undefined) outdated.push(labelOf(sibling, number))
  }
  return outdated
}
