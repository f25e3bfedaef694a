// Whether an instance may start, judged by the instances it depends on.
import { instanceLabel } from '@locald/protocol'
import type { DependencyCondition, UnmetDependency } from '@locald/protocol'
import { isSpawned } from './instance.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { hasToBeHealthy } from '../plan/service-kind.ts'
import { healthShown } from './notify-memory.ts'
import type { ProjectRecord } from './state.ts'

export type DependencyVerdict =
  | { readonly verdict: 'met' }
  | { readonly verdict: 'waiting'; readonly unmet: readonly (UnmetDependency & { readonly key: string })[] }
  /** It can never be met as things are. */
  | { readonly verdict: 'failed'; readonly reason: string }

/** What a project knows of its instances, as far as a verdict needs it. */
type Siblings = Pick<ProjectRecord, 'planned' | 'pending' | 'instances'>

/** A dependency on a service with replicas means all of them. */
export function dependencyVerdict(service: ServicePlan, siblings: Siblings): DependencyVerdict {
  const unmet: (UnmetDependency & { readonly key: string })[] = []
  for (const dependency of service.dependsOn) {
    const target = siblings.planned.plan.services.find((s) => s.name === dependency.service)
    if (target === undefined) return { verdict: 'failed', reason: `dependency "${dependency.service}" does not exist` }
    for (const { instance: number } of target.instances) {
      const label = labelOf(target, number)
      const key = instanceKey(target.name, number)
      const answer = answerOf(target, key, dependency.condition, siblings)
      if (answer === 'met') continue
      if ('failed' in answer) return { verdict: 'failed', reason: `dependency "${label}" ${answer.failed}` }
      unmet.push({ key, service: label, condition: dependency.condition, reason: answer.waiting })
    }
  }
  return unmet.length === 0 ? { verdict: 'met' } : { verdict: 'waiting', unmet }
}

function answerOf(
  target: ServicePlan,
  key: string,
  condition: DependencyCondition,
  siblings: Siblings,
): 'met' | { readonly waiting: string } | { readonly failed: string } {
  const instance = siblings.instances.get(key)
  if (instance === undefined) return { waiting: 'not started' }
  if (siblings.pending.has(key)) return { waiting: 'about to be ended' }
  const { state, memory } = instance
  switch (state.id) {
    case 'failed':
      return { failed: `failed: ${state.reason}` }
    case 'completed':
      if (condition === 'healthy' && hasToBeHealthy(target.config) && memory.readyAfterMs === null) {
        return { failed: 'exited with code 0 before it was healthy' }
      }
      return 'met'
    case 'serving':
      return 'met'
    case 'starting':
      if (condition === 'started') return isSpawned(state.run) ? 'met' : { waiting: 'starting' }
      if (!state.overdue) return { waiting: 'starting' }
      return { waiting: `unhealthy: ${healthShown(memory)?.message ?? 'not healthy in time'}` }
    case 'running':
      if (condition === 'started' || (condition === 'healthy' && state.healthy)) return 'met'
      if (condition === 'completed') return { waiting: 'running' }
      return { waiting: `unhealthy: ${healthShown(memory)?.message ?? 'its check fails'}` }
    case 'backoff':
      return { waiting: `${state.reason}; about to be restarted` }
    case 'scheduled':
      if (memory.completedHash !== null && state.failure === null) return 'met'
      return {
        waiting: state.failure === null ? 'scheduled, and has not run yet' : `its last run failed: ${state.failure}`,
      }
    case 'stopped':
    case 'waiting':
    case 'idle':
    case 'stopping':
      return { waiting: state.id }
    default:
      return { waiting: 'unknown' }
  }
}

/** `web`, or `web.2` where there are several. */
export function labelOf(service: ServicePlan, instance: number): string {
  return instanceLabel(service.name, instance, service.config.replicas)
}

/** Whether one of its dependents waits for its end. */
export function isAwaitedToEnd(plan: Plan, name: string): boolean {
  return plan.services.some(({ dependsOn }) =>
    dependsOn.some((dependency) => dependency.service === name && dependency.condition === 'completed'),
  )
}

const dependents = new WeakMap<Plan, Map<string, ReadonlySet<string>>>()

/** Names of the services that depend on this one, directly or through others. */
export function dependentsOf(plan: Plan, name: string): ReadonlySet<string> {
  const known = dependents.get(plan) ?? new Map<string, ReadonlySet<string>>()
  dependents.set(plan, known)
  const found = known.get(name) ?? findDependents(plan, name)
  known.set(name, found)
  return found
}

function findDependents(plan: Plan, name: string): ReadonlySet<string> {
  const found = new Set<string>()
  const visit = (target: string): void => {
    for (const service of plan.services) {
      if (found.has(service.name) || !service.dependsOn.some((d) => d.service === target)) continue
      found.add(service.name)
      visit(service.name)
    }
  }
  visit(name)
  return found
}
