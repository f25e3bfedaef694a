// What the daemon knows of a service and its keeper does not, written among the service's output.
import type { LocaldEvent, ServiceEvent } from '@locald/protocol'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { LogTarget } from '../keeper/protocol.ts'
import type { LogRecord } from '../logs/log-record.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import { logTarget } from './prepare-run.ts'

/** Hears every event, in order. */
export class LogRecords {
  readonly #state: SupervisorState
  readonly #keeper: KeeperLink
  /** Instances that are being started and were not spawned yet, by stream. */
  readonly #starting = new Set<string>()

  constructor(state: SupervisorState, keeper: KeeperLink) {
    this.#state = state
    this.#keeper = keeper
  }

  hear(event: LocaldEvent): void {
    if (!('snapshot' in event)) return
    const target = this.#targetOf(event)
    if (target === null) return
    const wasStarting = this.#starting.delete(target.stream)
    if (event.type === 'service.starting') this.#starting.add(target.stream)
    const record = recordOf(event, wasStarting)
    if (record === null) return
    // After what follows from the event has been begun: a dependent's start does not wait behind a line of the log.
    setImmediate(() => {
      // Without a keeper this process ends, and with it everything that could be recorded.
      this.#keeper.request('append', { log: target, record }).catch(() => {})
    })
  }

  /** Null when its project is gone. */
  #targetOf({ project, service, instance, snapshot }: ServiceEvent): LogTarget | null {
    const plan = this.#state.projects.get(project)?.planned.plan
    return plan === undefined
      ? null
      : logTarget(project, instanceKey(service, instance), snapshot.run, plan.config.logs)
  }
}

function recordOf({ type, snapshot }: ServiceEvent, wasStarting: boolean): LogRecord | null {
  const { source, message } = snapshot.health
  const how = { source: source ?? 'process', ...(message === undefined ? {} : { message }) }
  switch (type) {
    case 'service.healthy':
      return { type: 'health.healthy', ...how }
    case 'service.unhealthy':
      return { type: 'health.unhealthy', ...how }
    case 'service.failed':
      return wasStarting ? { type: 'run.refused', message: snapshot.reason ?? 'it could not be started' } : null
    default:
      return null
  }
}
