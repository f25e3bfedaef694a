// How much has to be there before a service: what stops before what, in a single number.
import type { Plan } from './plan.ts'

/** 0 for a service that depends on nothing, else one more than the deepest of those that it depends on. */
export function dependencyDepth({ services }: Pick<Plan, 'services'>, service: string): number {
  const depths = new Map<string, number>()
  for (const { name, dependsOn } of services) {
    depths.set(name, Math.max(0, ...dependsOn.map((dependency) => 1 + (depths.get(dependency.service) ?? -1))))
  }
  return depths.get(service) ?? 0
}
