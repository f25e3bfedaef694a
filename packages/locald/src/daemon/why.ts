// Explains the state of a service: the conclusion first, then what it rests on.
import type { ServiceSnapshot, WhyAnswer } from '@locald/protocol'
import type { HealthCheck } from '../config/config.ts'
import { unreachable } from '../lib/unreachable.ts'
import type { ServicePlan } from '../plan/plan.ts'
import type { Instance } from '../supervisor/instance.ts'
import { notifyReport } from './notify-report.ts'
import { causeOf, heldPort } from './why-cause.ts'
import type { Rival, WhyFacts } from './why-cause.ts'
import { describeLink, stateReason } from './why-chain.ts'
import type { ChainLink } from './why-chain.ts'

export interface WhySubject {
  readonly asked: WhyFacts
  /** The last of the chain; the one asked about when it waits for nobody. */
  readonly root: WhyFacts
  readonly chain: readonly ChainLink[]
  /** Of all instances of the service. */
  readonly snapshots: readonly ServiceSnapshot[]
  readonly instances: readonly Instance[]
  readonly rival: Rival | null
}

const linesShown = 10

/** Pure. */
export function explain(subject: WhySubject): WhyAnswer {
  const { asked, root, chain, snapshots, instances, rival } = subject
  const notify = instances.flatMap((each, index) => notifyReport(index + 1, each, asked.service.config) ?? [])
  const cause = causeOf(root, rival)
  const deeper = root.label === asked.label ? [] : [`More about the cause: locald why ${root.label}`]
  return {
    service: asked.service.name,
    snapshots,
    summary: summaryOf(asked, root),
    ...(cause.evidence === null ? {} : { evidence: { service: root.label, text: cause.evidence } }),
    chain: chain.map(describeLink),
    probe: probeOf(root),
    ...(notify.length === 0 ? {} : { notify }),
    ports: asked.ports,
    last_lines: root.lines.slice(-linesShown),
    advice: [...cause.advice, ...deeper],
  }
}

/** The one whose state says most about the service: the first that is not well. */
export function worstOf(snapshots: readonly ServiceSnapshot[]): ServiceSnapshot | undefined {
  return (
    snapshots.find((s) => s.state === 'failed') ??
    snapshots.find((s) => s.health.status === 'unhealthy') ??
    snapshots.find((s) => s.state !== 'running') ??
    snapshots[0]
  )
}

function summaryOf(asked: WhyFacts, root: WhyFacts): string {
  const own = `${asked.label} ${stateWords(asked.snapshot)}`
  if (root.label === asked.label) return `${own}${detailOf(root)}`
  return `${own}, because ${root.label} ${stateWords(root.snapshot)}${detailOf(root)}`
}

function stateWords({ state, health, next_run_at: nextRunAt }: ServiceSnapshot): string {
  switch (state) {
    case 'failed':
      return 'has failed'
    case 'backoff':
      return 'has ended, and is about to be started again'
    case 'scheduled':
      return `is scheduled for ${nextRunAt === undefined ? 'later' : localTime(nextRunAt)}`
    case 'starting':
      return health.status === 'unhealthy' ? 'runs, and did not become healthy' : 'is starting'
    case 'running':
      return health.status === 'unhealthy'
        ? 'runs, and is unhealthy'
        : `is running and ${health.status} (${health.source ?? 'no check'})`
    default:
      return `is ${state}`
  }
}

/** `2026-01-31 09:05`. */
function localTime(iso: string): string {
  const at = new Date(iso)
  const two = (number: number): string => String(number).padStart(2, '0')
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}`
}

function detailOf({ snapshot, instance, ports, lastCheck }: WhyFacts): string {
  const { state, health } = snapshot
  if (state === 'running' && health.status !== 'unhealthy') return ''
  if (state === 'scheduled') return snapshot.reason === null ? '' : `; its last run failed: ${snapshot.reason}`
  // What it says of itself is part of what is shown, and not of its check's result.
  const isOwnWord = instance !== null && instance.memory.notify !== null
  const checked = isOwnWord ? undefined : lastCheck?.message
  if (state === 'starting' || state === 'running') return `: ${checked ?? stateReason(snapshot)}`
  const held = state === 'stopped' ? heldPort(ports) : null
  return `: ${held === null ? stateReason(snapshot) : `its port is taken by ${held}`}`
}

function probeOf({ service, snapshot, instance, lastCheck }: WhyFacts): WhyAnswer['probe'] {
  const { healthCheck } = service.config
  const known = instance?.memory.health ?? null
  return {
    source: snapshot.health.source ?? known?.source ?? healthCheck?.type ?? null,
    description: healthCheck === undefined ? inferredProbe(service) : describeCheck(healthCheck),
    last_result: lastCheck?.message ?? known?.message ?? null,
    last_output: lastCheck === null ? (known?.output ?? null) : lastCheck.output,
    at: lastCheck === null ? null : new Date(lastCheck.at).toISOString(),
  }
}

function inferredProbe({ config }: ServicePlan): string {
  if (config.type === 'task') return 'It is healthy when it exits with code 0'
  if (config.site !== undefined) return 'It is healthy when its directory is there, after its build if it has one'
  if (config.container !== undefined) {
    const otherwise = config.listening === 'must' ? 'something listens on its port inside' : 'it has run for 1 s'
    return `It is healthy when the HEALTHCHECK of its image says so; without one, when ${otherwise}`
  }
  if (config.listening === 'must') return 'It is healthy when one of its processes listens on its port'
  if (config.listening === 'may') return 'It is healthy at its first listener, or when it has run for 1 s'
  return 'It is healthy when it has run for 1 s'
}

function describeCheck(check: HealthCheck): string {
  switch (check.type) {
    case 'http':
      return `${check.method} ${check.path} on ${check.port === undefined ? 'its port' : `port ${check.port}`}`
    case 'tcp':
      return `A listener on ${check.port === undefined ? 'its port' : `port ${check.port}`}`
    case 'command':
      return `Command: ${typeof check.command === 'string' ? check.command : check.command.join(' ')}`
    case 'log':
      return `A line of its output that matches ${check.pattern}`
    case 'notify':
      return 'READY=1 on its notify socket'
    default:
      return unreachable(check)
  }
}
