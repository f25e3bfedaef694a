// How far an order has come, judged by the instances it is about.
import type { OrderKind, OrderOutcome } from '@locald/protocol'
import { isActive } from './instance.ts'
import type { Instance } from './instance.ts'
import { healthShown } from './notify-memory.ts'
import type { Order, ProjectRecord } from './state.ts'

export type OrderProgress =
  | { readonly open: true }
  | { readonly open: false; readonly outcome: OrderOutcome; readonly problems: readonly string[] }

export interface OrderView extends Pick<ProjectRecord, 'instances' | 'pending'> {
  /** Why an instance in state `waiting` cannot go on as things are; null when it only has to wait. Costs more than the rest. */
  readonly blockedBy: (key: string) => string | null
  readonly labelOf: (key: string) => string
}

type Goal = 'reached' | 'unsettled' | 'waiting' | { readonly problem: string }

/** Pure. An order is over when each of its instances has got where it was sent, or cannot get there. */
export function progressOf(order: Order, view: OrderView): OrderProgress {
  const superseded = Object.keys(order.superseded).length
  const taken = superseded > 0 && superseded === order.keys.length
  const goals: (readonly [string, Goal])[] = []
  for (const key of order.keys) {
    const by = order.superseded[key]
    const goal = by === undefined ? goalOf(order.kind, key, view) : { problem: `superseded by a later ${by}` }
    // Asked after every change: of hundreds, one that is under way says enough.
    if (goal === 'unsettled' && !taken) return { open: true }
    goals.push([key, goal])
  }
  if (!taken && order.leaving?.some((key) => isLeaving(view.instances.get(key)))) return { open: true }
  const problems: string[] = []
  for (const [key, goal] of goals) {
    const settled = goal === 'waiting' ? waitingGoal(key, view) : goal
    if (settled === null) return { open: true }
    if (typeof settled === 'object') problems.push(`${view.labelOf(key)}: ${settled.problem}`)
  }
  return { open: false, outcome: superseded > 0 ? 'superseded' : problems.length > 0 ? 'failed' : 'done', problems }
}

/** Not one that a later order has taken back. */
function isLeaving(instance: Instance | undefined): boolean {
  return instance !== undefined && isActive(instance) && !instance.memory.wanted
}

function waitingGoal(key: string, view: OrderView): { readonly problem: string } | null {
  const blocker = view.blockedBy(key)
  return blocker === null ? null : { problem: `waiting for ${blocker}` }
}

function goalOf(kind: OrderKind, key: string, view: OrderView): Goal {
  const instance = view.instances.get(key)
  if (kind === 'stop') return stopGoal(instance)
  // A foreground `start` is over when nothing of it is left.
  if (kind === 'start') return instance === undefined || !isActive(instance) ? 'reached' : 'unsettled'
  return view.pending.has(key) ? 'unsettled' : upGoal(kind, instance)
}

function upGoal(kind: 'up' | 'restart', instance: Instance | undefined): Goal {
  if (instance === undefined) return { problem: 'removed from the configuration' }
  const { state, memory } = instance
  switch (state.id) {
    case 'running':
      return state.healthy ? 'reached' : { problem: `unhealthy: ${healthShown(memory)?.message ?? 'its check fails'}` }
    case 'completed':
    case 'serving':
    case 'idle':
      return 'reached'
    case 'scheduled':
      return kind === 'restart' && state.failure !== null ? { problem: state.failure } : 'reached'
    case 'failed':
      return { problem: state.reason }
    case 'starting':
      return state.overdue
        ? { problem: `not healthy in time: ${healthShown(memory)?.message ?? 'no answer'}` }
        : 'unsettled'
    case 'waiting':
      return 'waiting'
    case 'stopped':
      return { problem: 'stopped' }
    case 'backoff':
    case 'stopping':
      return 'unsettled'
    default:
      return { problem: 'in an unknown state' }
  }
}

function stopGoal(instance: Instance | undefined): Goal {
  if (instance === undefined) return 'reached'
  if (isActive(instance)) return 'unsettled'
  const { survivors } = instance.memory
  return survivors.length === 0 ? 'reached' : { problem: `left over: ${survivors.join(', ')}` }
}
