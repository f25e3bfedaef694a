// What each service waits for: what its definition says, what its references imply, and `release:` of a Procfile.
import type { Diagnostic } from '@locald/protocol'
import type { Config, ServiceConfig } from '../config/config.ts'
import { topologicalOrder } from '../lib/topological-order.ts'
import { projectReferences, serviceReferences } from './configured-texts.ts'
import type { PlacedReference } from './configured-texts.ts'
import type { DependencyPlan } from './plan.ts'

export type DependencyResult =
  | {
      readonly ok: true
      /** Service names: each after everything it depends on; otherwise in the order of the file. */
      readonly order: readonly string[]
      readonly dependsOn: ReadonlyMap<string, readonly DependencyPlan[]>
    }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] }

/**
 * Two services may refer to each other: their ports are known before either starts. So an implied dependency that would
 * close a cycle is left out; only a cycle of written ones is a fault.
 */
export function dependenciesOf(config: Config): DependencyResult {
  const names = config.services.map(({ name }) => name)
  const graph = new Map(config.services.map((service) => [service.name, explicitDependencies(service)]))
  const ordered = topologicalOrder(names, (name) => targetsOf(graph, name))
  if (!ordered.ok) return { ok: false, diagnostics: [cycleFault(config, ordered.cycle)] }

  for (const [name, dependency] of impliedDependencies(config)) {
    const dependencies = graph.get(name) ?? []
    if (dependencies.some(({ service }) => service === dependency.service)) continue
    if (!graph.has(dependency.service) || reaches(graph, dependency.service, name)) continue
    graph.set(name, [...dependencies, dependency])
  }
  const complete = topologicalOrder(names, (name) => targetsOf(graph, name))
  if (!complete.ok) return { ok: false, diagnostics: [cycleFault(config, complete.cycle)] }
  return { ok: true, order: complete.order, dependsOn: graph }
}

type Graph = ReadonlyMap<string, readonly DependencyPlan[]>

function targetsOf(graph: Graph, name: string): readonly string[] {
  return (graph.get(name) ?? []).map(({ service }) => service)
}

function explicitDependencies({ dependsOn }: ServiceConfig): readonly DependencyPlan[] {
  return dependsOn.map(({ service, condition, restartWith }) => ({ service, condition, restartWith, implicit: false }))
}

/** References come first, so that what a release task refers to does not wait for it. */
function impliedDependencies(config: Config): readonly (readonly [string, DependencyPlan])[] {
  const shared = projectReferences(config)
  const release = config.services.find((service) => isRelease(config, service))
  const referred = config.services.flatMap((service) =>
    [...serviceReferences(service), ...shared]
      .flatMap(referredService)
      .map((name) => [service.name, implied(name, 'started')] as const),
  )
  const released = config.services.flatMap((service) =>
    release === undefined ? [] : [[service.name, implied(release.name, 'completed')] as const],
  )
  return [...referred, ...released].filter(([name, dependency]) => dependency.service !== name)
}

function implied(service: string, condition: DependencyPlan['condition']): DependencyPlan {
  return { service, condition, restartWith: false, implicit: true }
}

function referredService({ reference }: PlacedReference): readonly string[] {
  return reference.kind === 'service' ? [reference.service] : []
}

/** Heroku runs the `release` line of a Procfile to its end before anything else. */
function isRelease(config: Config, service: ServiceConfig): boolean {
  return config.format === 'procfile' && service.name === 'release' && service.type === 'task'
}

function reaches(graph: Graph, from: string, to: string): boolean {
  const seen = new Set<string>()
  const pending = [from]
  for (let name = pending.pop(); name !== undefined; name = pending.pop()) {
    if (name === to) return true
    if (seen.has(name)) continue
    seen.add(name)
    pending.push(...targetsOf(graph, name))
  }
  return false
}

function cycleFault(config: Config, cycle: readonly string[]): Diagnostic {
  const [first, second] = cycle
  const service = config.services.find(({ name }) => name === first)
  const place = service?.dependsOn.find((dependency) => dependency.service === second)?.place ?? service?.place
  return {
    severity: 'error',
    code: 'cycle',
    message: `Services wait for each other: ${cycle.join(' → ')}`,
    ...(place ?? { file: config.file, line: 1, column: 1 }),
    hint: 'Remove one of these dependencies',
  }
}
