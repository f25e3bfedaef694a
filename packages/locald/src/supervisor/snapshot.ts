// An instance as the world sees it.
import { instanceLabel } from '@locald/protocol'
import type { HealthSource, HealthStatus, ServiceSnapshot, UnmetDependency } from '@locald/protocol'
import type { ContainerIdentity } from '../container/container-order.ts'
import type { ServiceConfig } from '../config/config.ts'
import type { InstancePlan, ServicePlan } from '../plan/plan.ts'
import { serviceHost } from '../plan/addresses.ts'
import { urlFor } from '../plan/service-url.ts'
import { runOf, stateShown, wantsInput } from './instance.ts'
import type { Instance, InstanceState } from './instance.ts'
import { healthShown } from './notify-memory.ts'

/** What is shown of an instance besides its own state. */
interface Surroundings {
  /** In state `waiting`. */
  readonly unmet: readonly UnmetDependency[]
  /** Labels of running siblings that know it by another port. */
  readonly outdated: readonly string[]
  /** The address by one of its names; null: none works. */
  readonly publicUrl: string | null
}

export function snapshotOf(
  service: ServicePlan,
  planned: InstancePlan,
  instance: Instance,
  { unmet, outdated, publicUrl }: Surroundings = { unmet: [], outdated: [], publicUrl: null },
): ServiceSnapshot {
  const { state, memory } = instance
  const port = memory.ports[0] ?? portShown(service.config, planned)
  const host = memory.ports.length > 0 ? memory.found?.host : undefined
  const direct = port === null ? null : urlFor(service.config.type, host ?? serviceHost, port)
  const status = healthStatus(state, service.config)
  const health = healthShown(memory)
  const run = runOf(instance)
  return {
    name: service.name,
    instance: planned.instance,
    type: service.config.type,
    state: stateShown(state),
    health: {
      status,
      source: status === 'none' ? null : (health?.source ?? expectedSource(service.config)),
      ...(health === null || health.message === '' ? {} : { message: health.message }),
    },
    pid: (run === null ? null : memory.notify?.mainPid) ?? run?.identity?.pid ?? run?.container?.pid ?? null,
    ...(run?.container === undefined ? {} : { container: containerShown(run.container) }),
    port,
    ports: memory.ports.length > 0 ? memory.ports : port === null ? [] : [port],
    ...(host === undefined ? {} : { host }),
    url: direct === null && service.config.site === undefined ? null : (publicUrl ?? direct),
    restarts: memory.restarts,
    exit: memory.exit,
    started_at: memory.startedAt === null ? null : new Date(memory.startedAt).toISOString(),
    ready_after_ms: memory.readyAfterMs,
    depends_on: service.dependsOn.map((d) => d.service),
    warnings: [
      ...(wantsInput(instance) ? [`waiting for input: ${attachCommand(service, planned)}`] : []),
      ...memory.warnings,
      ...outdated.map(
        (label) => `"${label}" was started with another port of it: restart it with "locald restart ${label}"`,
      ),
      ...(memory.watch.suspended === null ? [] : [`Changed files restart it no more: ${memory.watch.suspended}`]),
      ...memory.survivors.map((survivor) => `Left over after stop: ${survivor}`),
    ],
    ...(wantsInput(instance) ? { input_wanted: attachCommand(service, planned) } : {}),
    run: memory.runs,
    waiting_for: unmet.map(({ service: label, condition, reason }) => ({ service: label, condition, reason })),
    reason: reasonOf(state),
    retry_at: state.id === 'backoff' ? new Date(state.until).toISOString() : null,
    ...(state.id === 'scheduled' ? { next_run_at: new Date(state.at).toISOString() } : {}),
  }
}

function attachCommand({ name, config }: ServicePlan, { instance }: InstancePlan): string {
  return `locald attach ${instanceLabel(name, instance, config.replicas)}`
}

function reasonOf(state: InstanceState): string | null {
  if (state.id === 'failed' || state.id === 'backoff') return state.reason
  return state.id === 'scheduled' ? state.failure : null
}

function containerShown({ id, name, engine }: ContainerIdentity): NonNullable<ServiceSnapshot['container']> {
  return { id, name, engine: engine.url }
}

/** A service that need not listen shows no port before it was seen listening. */
function portShown(config: ServiceConfig, planned: InstancePlan): number | null {
  return config.listening === 'may' && typeof config.port !== 'number' ? null : planned.port
}

function healthStatus(state: InstanceState, config: ServiceConfig): HealthStatus {
  if (state.id === 'starting') return state.overdue ? 'unhealthy' : 'starting'
  if (state.id === 'serving') return 'healthy'
  if (state.id === 'running') return state.healthy ? 'healthy' : 'unhealthy'
  return state.id === 'completed' && config.type === 'task' ? 'healthy' : 'none'
}

function expectedSource(config: ServiceConfig): HealthSource {
  if (config.healthCheck !== undefined) return config.healthCheck.type
  if (config.container !== undefined) return 'docker'
  return config.listening === 'must' ? 'tcp' : 'process'
}
