// From a service down to the one that everything waits for.
import type { ServiceSnapshot, WhyAnswer } from '@locald/protocol'

export interface ChainLink {
  /** Its label: `web`, or `web.2` with replicas. */
  readonly label: string
  readonly snapshot: ServiceSnapshot
}

/** The worst of several that are waited for decides: what has failed before what is only slow. */
const severity = { failed: 5, stopped: 4, unhealthy: 4, backoff: 3, scheduled: 2, moving: 1, fine: 0 } as const

/**
 * Pure. The first is the one asked about, the last the root of it all. `snapshots` are those of all instances of the project,
 * by label.
 */
export function chainFrom(label: string, snapshots: ReadonlyMap<string, ServiceSnapshot>): readonly ChainLink[] {
  return follow(label, snapshots, new Set()) ?? []
}

function follow(
  label: string,
  snapshots: ReadonlyMap<string, ServiceSnapshot>,
  seen: ReadonlySet<string>,
): readonly ChainLink[] | null {
  const snapshot = snapshots.get(label)
  if (snapshot === undefined || seen.has(label)) return null
  const link = { label, snapshot }
  const deeper = causesOf(snapshot)
    .flatMap((cause) => {
      const chain = follow(cause, snapshots, new Set([...seen, label]))
      return chain === null ? [] : [chain]
    })
    .sort((a, b) => severityOf(b.at(-1)?.snapshot) - severityOf(a.at(-1)?.snapshot))
  const [worst] = deeper
  // What failed because of another that is well by now has only to be started again.
  const isOver = snapshot.state === 'failed' && severityOf(worst?.at(-1)?.snapshot) === severity.fine
  return worst === undefined || isOver ? [link] : [link, ...worst]
}

/** Labels of the services that it waits for, or failed with. */
function causesOf({ state, reason, waiting_for: unmet }: ServiceSnapshot): readonly string[] {
  const failed =
    state === 'failed' || state === 'scheduled' ? /^dependency "([^"]+)"/u.exec(reason ?? '')?.[1] : undefined
  return failed === undefined ? unmet.map(({ service }) => service) : [failed]
}

function severityOf(snapshot: ServiceSnapshot | undefined): number {
  if (snapshot === undefined) return severity.fine
  const { state, health } = snapshot
  switch (state) {
    case 'failed':
    case 'stopped':
    case 'backoff':
    case 'scheduled':
      return severity[state]
    case 'running':
    case 'starting':
      if (health.status === 'unhealthy') return severity.unhealthy
      return state === 'starting' ? severity.moving : severity.fine
    case 'waiting':
    case 'stopping':
      return severity.moving
    default:
      return severity.fine
  }
}

/** One line of the chain, as it is told. */
export function describeLink({ label, snapshot }: ChainLink): WhyAnswer['chain'][number] {
  const [unmet, ...more] = snapshot.waiting_for
  const others = more.length === 0 ? '' : `, and ${more.length} more`
  const reason =
    unmet === undefined
      ? stateReason(snapshot)
      : `waits for ${unmet.service} to be ${unmet.condition} (${unmet.reason})${others}`
  return { service: label, state: snapshot.state, reason }
}

/** Why it is as it is, as far as it knows by itself. */
export function stateReason(snapshot: ServiceSnapshot): string {
  const { state, health, exit, reason } = snapshot
  if (reason !== null) return reason
  if (state === 'running' && health.status === 'healthy') return health.message ?? 'healthy'
  if (health.status === 'unhealthy' || health.status === 'starting') {
    return health.message ?? `no answer from its ${health.source ?? 'health'} check yet`
  }
  if (state === 'idle') return 'nothing uses it; the first request, or a service that needs it, starts it'
  if (state === 'stopped') return exit === null ? 'it has not been started' : `it was stopped (${exit.reason})`
  return exit?.reason ?? health.message ?? state
}
