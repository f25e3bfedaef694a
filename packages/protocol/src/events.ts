// Everything that happens, in the words of the API. State shown anywhere is a fold of these over a snapshot.
import type { ProjectStatus, ServiceSnapshot } from './service.ts'

interface EventBase {
  /** Grows with each event; the `id` of the server-sent event. */
  readonly seq: number
  /** ISO 8601. */
  readonly at: string
}

/** What happened to an instance; each carries the instance as it is afterwards. */
export type ServiceEventType =
  | 'service.waiting'
  | 'service.starting'
  | 'service.spawned'
  | 'service.healthy'
  | 'service.unhealthy'
  | 'service.exited'
  | 'service.backoff'
  | 'service.stopping'
  | 'service.stopped'
  /** Nothing of it runs, until somebody wants it. */
  | 'service.idle'
  | 'service.completed'
  | 'service.failed'
  /** Something shown of it changed, but not its state: a port found, a warning, a new definition. */
  | 'service.updated'
  /** It is no longer in the configuration; the last event of an instance. */
  | 'service.removed'

export interface ServiceEvent extends EventBase {
  readonly type: ServiceEventType
  /** Project id. */
  readonly project: string
  readonly service: string
  readonly instance: number
  readonly snapshot: ServiceSnapshot
}

/** A project was planned for the first time or anew. `status` holds all of its services. */
export interface ProjectEvent extends EventBase {
  readonly type: 'project.planned' | 'project.removed'
  readonly project: string
  readonly status: ProjectStatus
}

export type OrderKind = 'up' | 'start' | 'stop' | 'restart'

/** How an order ended: as asked; with a failed service; because a later order took over; because its time was up. */
export type OrderOutcome = 'done' | 'failed' | 'superseded' | 'timeout'

export interface OrderAccepted extends EventBase {
  readonly type: 'order.accepted'
  readonly project: string
  readonly order: string
  readonly kind: OrderKind
  /** The instances' labels that the order is about. */
  readonly services: readonly string[]
}

export interface OrderEnded extends EventBase {
  readonly type: 'order.ended'
  readonly project: string
  readonly order: string
  readonly kind: OrderKind
  readonly outcome: OrderOutcome
  /** One line for people for each thing that did not go as asked. */
  readonly problems: readonly string[]
  /** The exit code of a foreground `start`; absent for other kinds. */
  readonly exit_code?: number
}

export interface DaemonEvent extends EventBase {
  readonly type: 'daemon.started' | 'daemon.stopping'
  readonly pid: number
  readonly version: string
  /** daemon.stopping, when it is not to be replaced: one line for people for each thing that could not be ended. */
  readonly problems?: readonly string[]
}

export type LocaldEvent = ServiceEvent | ProjectEvent | OrderAccepted | OrderEnded | DaemonEvent

/** The first message of an event stream that was not asked to resume: everything as of `seq`. */
export interface EventSnapshot {
  readonly type: 'snapshot'
  readonly seq: number
  readonly projects: readonly ProjectStatus[]
}

/**
 * Applies one event to the projects known so far. Pure; returns the same array when the event shows nothing of a service.
 */
export function projectEvent(projects: readonly ProjectStatus[], event: LocaldEvent): readonly ProjectStatus[] {
  switch (event.type) {
    case 'project.planned':
      return projects.some((p) => p.id === event.project)
        ? projects.map((p) => (p.id === event.project ? event.status : p))
        : [...projects, event.status]
    case 'project.removed':
      return projects.filter((p) => p.id !== event.project)
    case 'order.accepted':
    case 'order.ended':
    case 'daemon.started':
    case 'daemon.stopping':
      return projects
    default:
      return projects.map((p) => (p.id === event.project ? { ...p, services: applyToServices(p.services, event) } : p))
  }
}

function applyToServices(services: readonly ServiceSnapshot[], event: ServiceEvent): readonly ServiceSnapshot[] {
  const isIt = (s: ServiceSnapshot): boolean => s.name === event.service && s.instance === event.instance
  if (event.type === 'service.removed') return services.filter((s) => !isIt(s))
  if (!services.some(isIt)) return [...services, event.snapshot]
  return services.map((s) => (isIt(s) ? event.snapshot : s))
}
