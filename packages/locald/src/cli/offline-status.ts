// What `status` and `why` answer when no daemon runs: everything is stopped.
import { LocaldError } from '@locald/protocol'
import type { AllProjects, ProjectStatus, ServiceSnapshot, WhyAnswer } from '@locald/protocol'
import { serviceHost } from '../plan/addresses.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { urlFor } from '../plan/service-url.ts'
import type { CommandContext } from './command.ts'
import { offlinePlan, plannedInstance } from './offline-project.ts'
import { holderWords } from './output/holder-words.ts'

/** The project here with all services stopped; no projects where there is none. */
export async function offlineStatus(context: CommandContext): Promise<ProjectStatus | AllProjects> {
  try {
    const { plan, warnings } = await offlinePlan(context)
    return statusOf(
      plan,
      warnings.map(({ message, file, line }) => `${file}:${line}: ${message}`),
    )
  } catch (error) {
    if (error instanceof LocaldError && error.code === 'config_not_found') return { projects: [] }
    throw error
  }
}

export async function offlineWhy(context: CommandContext, name: string): Promise<WhyAnswer> {
  const { plan } = await offlinePlan(context)
  const { service } = plannedInstance(plan, name)
  const reason = 'the daemon is not running'
  const { plannedPorts } = await import('./offline-ports.ts') // `status` does without
  const ports = (await plannedPorts(plan)).filter((row) => row.service === service.name)
  // Of assigned ports it gets others.
  const taken = ports.flatMap(({ kind, port, holder }) =>
    kind === 'fixed' && holder !== null ? [{ port, holder }] : [],
  )
  const held = taken.map(({ port, holder }) => `; its port ${port} is taken by ${holderWords(holder)}`)
  return {
    service: service.name,
    snapshots: service.instances.map(({ instance, port }) => stopped(service, instance, port)),
    summary: `"${service.name}" is stopped: ${reason}, so nothing of "${plan.name}" is up${held.join('')}`,
    chain: [{ service: service.name, state: 'stopped', reason }],
    probe: null,
    ports,
    last_lines: [],
    advice: [
      ...taken.map(({ port }) => `Stop what listens on port ${port}, or give "${service.name}" another one`),
      'Start it: locald up',
    ],
  }
}

function statusOf({ id, name, root, file, services }: Plan, warnings: readonly string[]): ProjectStatus {
  return {
    id,
    project: name,
    root,
    file,
    services: services.flatMap((service) =>
      service.instances.map(({ instance, port }) => stopped(service, instance, port)),
    ),
    warnings,
  }
}

function stopped({ name, config, dependsOn }: ServicePlan, instance: number, planned: number | null): ServiceSnapshot {
  // As the daemon does it: a service that need not listen shows no port before it was seen listening.
  const port = config.listening === 'may' && typeof config.port !== 'number' ? null : planned
  return {
    name,
    instance,
    type: config.type,
    state: 'stopped',
    health: { status: 'none', source: null },
    pid: null,
    port,
    ports: port === null ? [] : [port],
    url: port === null ? null : urlFor(config.type, serviceHost, port),
    restarts: 0,
    exit: null,
    started_at: null,
    ready_after_ms: null,
    depends_on: dependsOn.map(({ service }) => service),
    warnings: [],
    run: 0,
    waiting_for: [],
    reason: null,
    retry_at: null,
  }
}
