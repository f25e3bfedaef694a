// What the proxy is told, from what is planned and what runs. Pure.
import { instanceKey } from '../plan/instance-key.ts'
import type { HostPlan, InstancePlan, ServicePlan } from '../plan/plan.ts'
import type { HostRoute, RouteTable, ServiceState, ServiceTarget, Upstream } from '../proxy/route-table.ts'
import { isReachable } from '../plan/host-names.ts'
import type { Instance } from '../supervisor/instance.ts'
import type { ProjectRecord } from '../supervisor/state.ts'
import type { HostHolders } from './host-holders.ts'

export interface RouteSources {
  /** By id. */
  readonly projects: ReadonlyMap<string, Pick<ProjectRecord, 'planned' | 'instances'>>
  readonly holders: HostHolders
  /** See `HostRoute`. */
  readonly redirectTo: (host: string) => number | null
  /** Names of what locald does not run, with the port each leads to. */
  readonly aliases: ReadonlyMap<string, number>
}

/** How long a request waits for a service that is starting. */
const holdMs = 30_000

export function routeTableOf(sources: RouteSources): RouteTable {
  const projects = [...sources.projects.values()]
  const routeOf = (host: string, rules: HostRoute['rules']): readonly [string, HostRoute] => [
    host,
    { rules, redirectTo: sources.redirectTo(host) },
  ]
  return {
    hosts: Object.fromEntries([
      ...[...sources.aliases.keys()].map((host) => routeOf(host, aliasRules(host))),
      ...projects.flatMap(({ planned: { plan } }) =>
        plan.hosts
          .filter(({ host }) => sources.holders.get(host) === plan.id)
          .map((host) => routeOf(host.host, hostRules(plan.id, host))),
      ),
    ]),
    services: Object.fromEntries([
      ...[...sources.aliases].map(([host, port]) => [aliasKey(host), aliasTarget(host, port)] as const),
      ...projects.flatMap((project) =>
        project.planned.plan.services
          .filter(({ config }) => isReachable(config))
          .map((service) => {
            const target = targetOf(project, service)
            return [target.key, target] as const
          }),
      ),
    ]),
  }
}

/** What the proxy calls a service. */
export function serviceKey(project: string, service: string): string {
  return `${project}/${service}`
}

/** The project and the service that the proxy calls so; null for an alias. */
export function splitServiceKey(key: string): { readonly project: string; readonly service: string } | null {
  const slash = key.indexOf('/')
  return slash <= 0 ? null : { project: key.slice(0, slash), service: key.slice(slash + 1) }
}

function hostRules(project: string, { rules }: HostPlan): HostRoute['rules'] {
  return rules.map(({ prefix, service, stripPrefix }) => ({
    prefix,
    service: serviceKey(project, service),
    stripPrefix,
  }))
}

function aliasKey(host: string): string {
  return `/${host}`
}

function aliasRules(host: string): HostRoute['rules'] {
  return [{ prefix: '/', service: aliasKey(host), stripPrefix: false }]
}

function aliasTarget(host: string, port: number): ServiceTarget {
  const upstreams = [{ instance: 1, port }]
  return { key: aliasKey(host), label: host, project: '', state: 'up', upstreams, site: null, holdMs }
}

function targetOf(
  { planned: { plan }, instances }: Pick<ProjectRecord, 'planned' | 'instances'>,
  service: ServicePlan,
): ServiceTarget {
  const { name, config } = service
  const known = service.instances.map((planned) => ({
    planned,
    instance: instances.get(instanceKey(name, planned.instance)),
  }))
  const upstreams = known.flatMap(({ planned, instance }) => upstreamOf(planned, instance) ?? [])
  const states = known.map(({ instance }) => (instance === undefined ? 'down' : stateOf(instance)))
  const state = worth.find((each) => states.includes(each)) ?? 'down'
  return {
    key: serviceKey(plan.id, name),
    label: name,
    project: plan.name,
    state,
    upstreams: config.site === undefined ? healthiest(upstreams) : [],
    // What is being built anew, or was stopped, is not there to be served.
    site: config.site === undefined || state !== 'up' ? null : { directory: config.site.path, liveReload: true },
    holdMs,
  }
}

/** Of several instances the one that can do most for a request decides. */
const worth: readonly ServiceState[] = ['up', 'starting', 'idle', 'failed', 'down']

interface Candidate extends Upstream {
  readonly isHealthy: boolean
}

/** One whose check fails may still answer better than a page, but not better than its siblings. */
function healthiest(candidates: readonly Candidate[]): readonly Upstream[] {
  const healthy = candidates.filter(({ isHealthy }) => isHealthy)
  return (healthy.length > 0 ? healthy : candidates).map(({ instance, port }) => ({ instance, port }))
}

function upstreamOf(planned: InstancePlan, instance: Instance | undefined): Candidate | null {
  if (instance?.state.id !== 'running') return null
  const port = instance.memory.ports[0] ?? planned.port
  return port === null ? null : { instance: planned.instance, port, isHealthy: instance.state.healthy }
}

function stateOf(instance: Instance): ServiceState {
  const { state } = instance
  switch (state.id) {
    case 'running':
    case 'serving':
      return 'up'
    case 'waiting':
    case 'backoff':
      return 'starting'
    case 'starting':
      // Whoever waited for it has waited long enough.
      return state.overdue ? 'failed' : 'starting'
    case 'stopping':
      return afterStopping(instance)
    case 'idle':
      return 'idle'
    case 'failed':
      return 'failed'
    default:
      return 'down'
  }
}

function afterStopping({ state, memory }: Instance): ServiceState {
  if (state.id !== 'stopping' || !memory.wanted) return 'down'
  if (state.afterwards === 'idle') return 'idle'
  return state.afterwards === 'stop' ? 'down' : 'starting'
}
