// Explains the state of a service: the conclusion first, then what it rests on.
import type { LogLine, PortRow, ServiceSnapshot, WhyAnswer } from '@locald/protocol'
import type { ServicePlan } from '../plan/plan.ts'
import type { Instance } from '../supervisor/instance.ts'
import { notifyReport } from './notify-report.ts'

export interface WhySubject {
  readonly service: ServicePlan
  readonly snapshots: readonly ServiceSnapshot[]
  readonly instances: readonly Instance[]
  /** Of every service of the project, by label. */
  readonly others: ReadonlyMap<string, ServiceSnapshot>
  readonly ports: readonly PortRow[]
  readonly lastLines: readonly LogLine[]
}

/** Pure. */
export function explain(subject: WhySubject): WhyAnswer {
  const { service, snapshots, instances, ports, lastLines } = subject
  const worst =
    snapshots.find((s) => s.state === 'failed') ?? snapshots.find((s) => s.state !== 'running') ?? snapshots[0]
  const chain = worst === undefined ? [] : chainFrom(worst, subject.others)
  const root = chain.at(-1)
  const health = instances.map((i) => i.memory.health).find((h) => h !== null) ?? null
  const notify = instances.flatMap((each, index) => notifyReport(index + 1, each, service.config) ?? [])
  return {
    service: service.name,
    snapshots,
    summary: worst === undefined ? `${service.name} has not been started` : summaryOf(worst, root),
    chain,
    probe: probeOf(service, worst, health),
    ...(notify.length === 0 ? {} : { notify }),
    ports,
    last_lines: lastLines,
    advice: worst === undefined ? [`Start it: locald up ${service.name}`] : adviceFor(worst, root, ports, service),
  }
}

type Link = WhyAnswer['chain'][number]

function chainFrom(start: ServiceSnapshot, others: ReadonlyMap<string, ServiceSnapshot>): readonly Link[] {
  const chain: Link[] = []
  const seen = new Set<string>()
  for (let at: ServiceSnapshot | undefined = start; at !== undefined && !seen.has(at.name);) {
    seen.add(at.name)
    const unmet: ServiceSnapshot['waiting_for'][number] | undefined = at.waiting_for[0]
    const reason =
      unmet === undefined ? stateReason(at) : `waits for ${unmet.service} to be ${unmet.condition} (${unmet.reason})`
    chain.push({ service: at.name, state: at.state, reason })
    const failed: string | undefined =
      at.state === 'failed' ? /^dependency "([^"]+)"/.exec(at.reason ?? '')?.[1] : undefined
    const next: string | undefined = unmet?.service ?? failed
    at = next === undefined ? undefined : others.get(next)
  }
  return chain
}

function stateReason(snapshot: ServiceSnapshot): string {
  if (snapshot.reason !== null) return snapshot.reason
  if (snapshot.health.status === 'unhealthy' || snapshot.health.status === 'starting') {
    return snapshot.health.message ?? `no answer from its ${snapshot.health.source ?? 'health'} check yet`
  }
  if (snapshot.state === 'stopped')
    return snapshot.exit === null ? 'has not been started' : `stopped; ${snapshot.exit.reason}`
  return snapshot.health.message ?? snapshot.exit?.reason ?? snapshot.state
}

function summaryOf(snapshot: ServiceSnapshot, root: Link | undefined): string {
  const { name, state, health } = snapshot
  const own =
    state === 'running'
      ? `${name} is running and ${health.status} (${health.source ?? 'no check'})`
      : `${name} is ${state}`
  const cause =
    root === undefined
      ? ''
      : root.service === name
        ? `: ${root.reason}`
        : `, because ${root.service} is ${root.state}: ${root.reason}`
  return `${own}${cause}`
}

function probeOf(
  service: ServicePlan,
  snapshot: ServiceSnapshot | undefined,
  health: Instance['memory']['health'],
): WhyAnswer['probe'] {
  const { healthCheck } = service.config
  const source = snapshot?.health.source ?? health?.source ?? healthCheck?.type ?? null
  return {
    source,
    description: healthCheck === undefined ? inferredProbe(service) : describeCheck(healthCheck),
    last_result: health?.message ?? null,
    last_output: health?.output ?? null,
    at: null,
  }
}

function inferredProbe({ config }: ServicePlan): string {
  if (config.type === 'task') return 'It is healthy when it exits with code 0'
  if (config.listening === 'must') return 'It is healthy when one of its processes listens on its port'
  if (config.listening === 'may') return 'It is healthy at its first listener, or when it has run for 1 s'
  return 'It is healthy when it has run for 1 s'
}

function describeCheck(check: NonNullable<ServicePlan['config']['healthCheck']>): string {
  switch (check.type) {
    case 'http':
      return `${check.method} ${check.path} on port ${check.port ?? 'of the service'}`
    case 'tcp':
      return `A listener on port ${check.port ?? 'of the service'}`
    case 'command':
      return `Command: ${typeof check.command === 'string' ? check.command : check.command.join(' ')}`
    case 'log':
      return `A line of its output that matches ${check.pattern}`
    case 'notify':
      return 'READY=1 on its notify socket'
    default:
      return 'Unknown'
  }
}

function adviceFor(
  snapshot: ServiceSnapshot,
  root: Link | undefined,
  ports: readonly PortRow[],
  { config }: ServicePlan,
): readonly string[] {
  const { name } = snapshot
  const held = ports.find((row) => row.holder !== null)
  const advice = held === undefined ? [] : [`Free port ${held.port}: ${describe(held)} listens on it`]
  if (root !== undefined && root.service !== name) return [...advice, `Look at the cause: locald why ${root.service}`]
  switch (snapshot.state) {
    case 'failed':
      return [...advice, `See what it wrote: locald logs ${name}`, `Then start it again: locald up ${name}`]
    case 'stopped':
      return [...advice, `Start it: locald up ${name}`]
    case 'backoff':
      return [...advice, `It is started again by itself; see what it wrote: locald logs ${name}`]
    case 'starting':
      if (config.listening === 'must' && config.healthCheck === undefined) {
        return [...advice, `Let it listen on $PORT (${snapshot.port ?? 'none'}), or say where it listens: port = N`]
      }
      return [...advice, `See what it writes: locald logs ${name} -f`]
    default:
      return advice
  }
}

function describe({ holder }: PortRow): string {
  if (holder?.pid === null || holder?.pid === undefined) return `a process of user ${holder?.user ?? 'unknown'}`
  return holder.command === null ? `pid ${holder.pid}` : `pid ${holder.pid} (${holder.command})`
}
