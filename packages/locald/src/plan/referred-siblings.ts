import { addressesOf } from './addresses.ts'
import { serviceReferences } from './configured-texts.ts'
import type { Plan, ServicePlan } from './plan.ts'

/**
 * The ports that a service is started with of those siblings that it is known to use: it depends on them, refers to them, or
 * names one of their variables in its command. By service name; of several instances the first.
 */
export function referredSiblings(plan: Pick<Plan, 'services'>, service: ServicePlan): Readonly<Record<string, number>> {
  const names = new Set(service.dependsOn.map((dependency) => dependency.service))
  for (const { reference } of serviceReferences(service.config)) {
    if (reference.kind === 'service') names.add(reference.service)
  }
  const { command } = service.config
  const text = typeof command === 'string' ? command : (command ?? []).join(' ')
  const mentioned = new Set([...text.matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)/gu)].map(([, name]) => name))
  const ports: Record<string, number> = {}
  for (const { name, ports: own, variables } of addressesOf(plan.services).values()) {
    const [port] = own
    if (name === service.name || port === undefined) continue
    if (names.has(name) || variables.some(([variable]) => mentioned.has(variable))) ports[name] = port
  }
  return ports
}
