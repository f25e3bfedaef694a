// What the daemon knows of a service and its keeper does not, written among the service's output.
import { setTimeout as sleep } from 'node:timers/promises'
import type { LocaldEvent, ServiceEvent } from '@locald/protocol'
import type { KeeperLink } from '../keeper/keeper-link.ts'
import type { LogTarget } from '../keeper/protocol.ts'
import type { EventRecord } from '../logs/log-record.ts'
import type { ReadUnwritten } from '../logs/log-reader.ts'
import { recordedEvents } from '../logs/recorded-events.ts'
import type { RecordedEvent } from '../logs/recorded-events.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { SupervisorState } from '../supervisor/state.ts'
import { logTarget } from './prepare-run.ts'

export interface LogRecordsOptions {
  readonly state: SupervisorState
  readonly keeper: Pick<KeeperLink, 'request'>
  /** What may be kept of all logs together, bytes. */
  readonly logBytes: () => number
}

/** Where a stream is read. */
export type StreamPlace = (stream: string) => { readonly directory: string; readonly unwritten?: ReadUnwritten }

/** A daemon that was killed has recorded all of what happened so long before the last that it knew; and of the rest perhaps not. */
const unsureMs = 30_000

/** The keeper may still have to write what the last daemon sent. */
const patienceMs = 300

interface Entry {
  readonly event: ServiceEvent
  readonly target: LogTarget
  readonly record: EventRecord
}

/** Hears every event, in order. */
export class LogRecords {
  readonly #options: LogRecordsOptions
  /** Instances that are being started and were not spawned yet, by stream. */
  readonly #starting = new Set<string>()

  constructor(options: LogRecordsOptions) {
    this.#options = options
  }

  hear(event: LocaldEvent): void {
    const entry = this.#entryOf(event)
    if (entry === null) return
    // After what follows from the event has been begun: a dependent's start does not wait behind a line of the log.
    setImmediate(() => this.#append(entry))
  }

  /**
   * Records what an earlier daemon stored in the journal and, ending at that moment, did not come to record. `events` are
   * those it has stored, oldest first, before any other is heard.
   */
  async catchUp(events: readonly LocaldEvent[], placeOf: StreamPlace): Promise<void> {
    const since = Date.parse(events.at(-1)?.at ?? '') - unsureMs
    const entries = events.flatMap((event) => this.#entryOf(event) ?? [])
    const unsure = entries.filter(({ event }) => Date.parse(event.at) >= since)
    if (unsure.length === 0) return
    await sleep(patienceMs)
    for (const stream of new Set(unsure.map(({ target }) => target.stream))) {
      const recorded = await recordedEvents(placeOf(stream), since)
      const missing = unsure.filter((entry) => entry.target.stream === stream && !isRecorded(entry, recorded))
      for (const entry of missing) this.#append(entry)
    }
  }

  #append({ target, record }: Entry): void {
    // Without a keeper this process ends, and with it everything that could be recorded.
    this.#options.keeper.request('append', { log: target, record }).catch(() => {})
  }

  /** Null when there is nothing to record. */
  #entryOf(event: LocaldEvent): Entry | null {
    if (!('snapshot' in event)) return null
    const target = this.#targetOf(event)
    if (target === null) return null
    const wasStarting = this.#starting.delete(target.stream)
    if (event.type === 'service.starting') this.#starting.add(target.stream)
    const record = recordOf(event, wasStarting)
    return record === null ? null : { event, target, record: { ...record, event: event.seq } }
  }

  /** Null when its project is gone. */
  #targetOf({ project, service, instance, snapshot }: ServiceEvent): LogTarget | null {
    const plan = this.#options.state.projects.get(project)?.planned.plan
    if (plan === undefined) return null
    const target = logTarget(project, instanceKey(service, instance), snapshot.run, plan.config.logs)
    return { ...target, totalBytes: this.#options.logBytes() }
  }
}

function isRecorded({ event, target, record }: Entry, recorded: readonly RecordedEvent[]): boolean {
  const isIt = (each: RecordedEvent): boolean =>
    each.event === event.seq || (each.event === null && each.type === record.type && each.run === target.run)
  return recorded.some(isIt)
}

function recordOf({ type, snapshot }: ServiceEvent, wasStarting: boolean): EventRecord | null {
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
