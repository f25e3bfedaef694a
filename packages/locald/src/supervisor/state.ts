// Everything the supervisor knows, and how it changes: what the journal stores and a new daemon starts from.
import type { OrderKind, OrderOutcome } from '@locald/protocol'
import { unreachable } from '../lib/unreachable.ts'
import { hostNamesOf } from '../plan/host-names.ts'
import { instanceKey } from '../plan/instance-key.ts'
import type { Plan, ServicePlan } from '../plan/plan.ts'
import { newInstance } from './instance.ts'
import type { Instance } from './instance.ts'

/** An order that has not ended yet. */
export interface Order {
  readonly id: string
  readonly kind: OrderKind
  readonly project: string
  /** Keys of the instances it is about. */
  readonly keys: readonly string[]
  /** Milliseconds since the epoch; null: no limit. */
  readonly timeoutAt: number | null
  /** Keys that a later order took over, with the kind of that order. */
  readonly superseded: Readonly<Record<string, OrderKind>>
  /** up: keys of what is no longer configured, and has to be gone afterwards. */
  readonly leaving?: readonly string[]
  /** stop: ports that have to be free afterwards. `isOwn`: its service was seen listening there. */
  readonly ports?: readonly {
    readonly key: string
    readonly label: string
    readonly port: number
    readonly isOwn: boolean
  }[]
}

/** What is left of an order that has ended, for a client that sends it again. */
export interface EndedOrder {
  readonly id: string
  readonly kind: OrderKind
  readonly project: string
  readonly outcome: OrderOutcome
  readonly problems: readonly string[]
}

/** A `start` that holds the project in the foreground. */
export interface Foreground {
  readonly order: string
  /** Apply the restart policy; otherwise the first exit ends everything. */
  readonly restart: boolean
  /** Set once everything is being stopped because of an exit. */
  readonly exitCode: number | null
}

/** What an `up` decides of a project. */
export interface ProjectPlan {
  readonly plan: Plan
  /** Services that are no longer in the configuration but were running when it changed: stopped by their old settings. */
  readonly leaving: readonly ServicePlan[]
  /** `--env KEY=VALUE` of the last `up`. */
  readonly flags: Readonly<Record<string, string>>
  readonly warnings: readonly string[]
  /** What happened to locald itself meanwhile; the next `up` shows it for the last time. */
  readonly notices?: readonly string[]
  /** When it was last brought up, milliseconds since the epoch. */
  readonly upAt?: number
}

export type PendingEnd = 'stop' | 'restart'

export interface ProjectRecord {
  planned: ProjectPlan
  /** Instances whose turn to be ended has not come yet. */
  readonly pending: Map<string, PendingEnd>
  foreground: Foreground | null
  /** Comes back after the machine was started anew. */
  pinned: boolean
  /** By key, `<service>.<number>`. */
  readonly instances: Map<string, Instance>
}

/** The one mutable place; `applyChange` alone writes it. */
export interface SupervisorState {
  readonly projects: Map<string, ProjectRecord>
  readonly orders: Map<string, Order>
  /** The latest, oldest first. */
  readonly ended: EndedOrder[]
  /** The last fact that was applied, and the keeper that it came from (its pid and start). */
  fact: { keeper: string; seq: number }
  /** See `bootId`: of the machine when this was last true. Empty: not known. */
  boot: string
}

export type Change =
  | { readonly kind: 'project'; readonly project: string; readonly planned: ProjectPlan | null }
  | { readonly kind: 'port'; readonly project: string; readonly key: string; readonly port: number | null }
  | { readonly kind: 'pending'; readonly project: string; readonly key: string; readonly end: PendingEnd | null }
  | { readonly kind: 'foreground'; readonly project: string; readonly foreground: Foreground | null }
  | { readonly kind: 'pinned'; readonly project: string; readonly pinned: boolean }
  | { readonly kind: 'boot'; readonly boot: string }
  | {
      readonly kind: 'instance'
      readonly project: string
      readonly key: string
      readonly instance: Instance | null
      /** The fact that caused it. */
      readonly fact?: number
    }
  | { readonly kind: 'order'; readonly order: Order }
  | { readonly kind: 'order-ended'; readonly order: EndedOrder }
  /** A fact was applied that changed nothing, or another keeper is spoken to. */
  | { readonly kind: 'fact'; readonly keeper?: string; readonly seq: number }

const endedKept = 100

export function emptyState(): SupervisorState {
  return { projects: new Map(), orders: new Map(), ended: [], fact: { keeper: '', seq: 0 }, boot: '' }
}

/** Applies one change, in place. Changes of a project that is gone are passed over. */
export function applyChange(state: SupervisorState, change: Change): void {
  switch (change.kind) {
    case 'project':
      return applyPlan(state, change.project, change.planned)
    case 'port': {
      const record = state.projects.get(change.project)
      if (record !== undefined) record.planned = withPort(record.planned, change.key, change.port)
      return
    }
    case 'pending':
      if (change.end === null) state.projects.get(change.project)?.pending.delete(change.key)
      else state.projects.get(change.project)?.pending.set(change.key, change.end)
      return
    case 'foreground': {
      const record = state.projects.get(change.project)
      if (record !== undefined) record.foreground = change.foreground
      return
    }
    case 'pinned': {
      const record = state.projects.get(change.project)
      if (record !== undefined) record.pinned = change.pinned
      return
    }
    case 'boot':
      state.boot = change.boot
      return
    case 'instance': {
      const instances = state.projects.get(change.project)?.instances
      if (change.instance === null) instances?.delete(change.key)
      else instances?.set(change.key, change.instance)
      if (change.fact !== undefined) state.fact.seq = change.fact
      return
    }
    case 'order':
      state.orders.set(change.order.id, change.order)
      return
    case 'order-ended':
      state.orders.delete(change.order.id)
      state.ended.push(change.order)
      if (state.ended.length > endedKept) state.ended.shift()
      return
    case 'fact':
      state.fact = { keeper: change.keeper ?? state.fact.keeper, seq: change.seq }
      return
    default:
      unreachable(change)
  }
}

function applyPlan(state: SupervisorState, id: string, planned: ProjectPlan | null): void {
  const record = state.projects.get(id)
  if (planned === null) state.projects.delete(id)
  else if (record === undefined) {
    state.projects.set(id, {
      planned: named(planned),
      pending: new Map(),
      foreground: null,
      pinned: false,
      instances: new Map(),
    })
  } else record.planned = named(planned)
}

function withPort(planned: ProjectPlan, key: string, port: number | null): ProjectPlan {
  const services = planned.plan.services.map((service) => ({
    ...service,
    instances: service.instances.map((i) => (instanceKey(service.name, i.instance) === key ? { ...i, port } : i)),
  }))
  return { ...planned, plan: { ...planned.plan, services } }
}

/** The state as JSON, and back. */
export interface StoredState {
  readonly projects: readonly StoredProject[]
  readonly orders: readonly Order[]
  readonly ended: readonly EndedOrder[]
  readonly fact: { readonly keeper: string; readonly seq: number }
  readonly boot: string
}

interface StoredProject {
  readonly id: string
  readonly planned: ProjectPlan
  readonly pending: readonly (readonly [string, PendingEnd])[]
  readonly foreground: Foreground | null
  readonly pinned: boolean
  readonly instances: readonly (readonly [string, Instance])[]
}

export function storeState(state: SupervisorState): StoredState {
  return {
    projects: [...state.projects].map(([id, { planned, pending, foreground, pinned, instances }]) => ({
      id,
      planned,
      pending: [...pending],
      foreground,
      pinned,
      instances: [...instances],
    })),
    orders: [...state.orders.values()],
    ended: state.ended,
    fact: state.fact,
    boot: state.boot,
  }
}

export function restoreState(stored: StoredState): SupervisorState {
  return {
    projects: new Map(
      stored.projects.map(({ id, planned, pending, foreground, pinned, instances }) => [
        id,
        {
          planned: named(planned),
          pending: new Map(pending),
          foreground,
          pinned,
          instances: new Map(instances.map(completed)),
        },
      ]),
    ),
    orders: new Map(stored.orders.map((order) => [order.id, order])),
    ended: [...stored.ended],
    fact: { ...stored.fact },
    boot: stored.boot,
  }
}

/** One that was stored before plans had host names is given them. */
function named(planned: ProjectPlan): ProjectPlan {
  const plan: Plan | Omit<Plan, 'hosts'> = planned.plan
  if ('hosts' in plan) return planned
  const before: Pick<Plan['config'], 'domains'> = { domains: [] }
  return { ...planned, plan: { ...planned.plan, hosts: hostNamesOf({ ...before, ...planned.plan.config }).hosts } }
}

/** One that was stored before something more came to be remembered. */
function completed([key, { state, memory }]: readonly [string, Instance]): readonly [string, Instance] {
  return [key, { state, memory: { ...newInstance.memory, ...memory } }]
}
