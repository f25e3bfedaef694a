// Orders from being accepted until they are over: done, failed, too late, or superseded by another.
import type { OrderOutcome } from '@locald/protocol'
import { blockerOf } from './blocker.ts'
import type { ForegroundStarts } from './foreground-starts.ts'
import type { InBackground } from './in-background.ts'
import { runOf } from './instance.ts'
import type { Instance } from './instance.ts'
import type { Machines } from './machines.ts'
import { progressOf } from './order-progress.ts'
import type { OrderProgress } from './order-progress.ts'
import type { Records } from './records.ts'
import type { Order } from './state.ts'
import type { SupervisorDependencies } from './supervisor-dependencies.ts'

/** Those who have a part in the life of an order. */
interface OrderParts {
  readonly machines: Pick<Machines, 'atOnce'>
  readonly foreground: ForegroundStarts
  readonly inBackground: InBackground
}

/** Many at a time; of two that contradict each other the later wins. */
export class Orders implements Disposable {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'clock' | 'heldPorts' | 'logger'>
  readonly #machines: OrderParts['machines']
  readonly #foreground: ForegroundStarts
  readonly #inBackground: InBackground
  readonly #timers = new Map<string, () => void>()
  /** Orders to stop whose ports are being looked at. */
  readonly #verified = new Set<string>()

  constructor(records: Records, deps: SupervisorDependencies, { machines, foreground, inBackground }: OrderParts) {
    this.#records = records
    this.#deps = deps
    this.#machines = machines
    this.#foreground = foreground
    this.#inBackground = inBackground
  }

  /** Accepts an order and carries it out: only when all of it is given out is looked at what follows. */
  give(order: Order, giveOut: () => void): void {
    this.#accept(order)
    this.arm(order)
    this.#machines.atOnce(order.project, giveOut)
  }

  /** Ends it when its time is over. */
  arm(order: Order): void {
    if (order.timeoutAt === null) return
    const cancel = this.#deps.clock.at(order.timeoutAt, () => {
      const current = this.#records.state.orders.get(order.id)
      if (current === undefined) return
      const { project } = order
      const problems = order.keys.flatMap((key) => {
        const instance = this.#records.instance({ project, key })
        if (isUp(instance)) return []
        const failure = instance?.state.id === 'failed' ? instance.state.reason : null
        return [`${this.#records.label({ project, key })}: ${failure ?? 'not healthy in time'}`]
      })
      this.#records.atomically(() => this.#endOrder(current, 'timeout', problems))
    })
    this.#timers.set(order.id, cancel)
  }

  /** Something of this project has changed: ends the orders that are over by it. */
  advance(project: string): void {
    for (const order of this.#records.state.orders.values()) if (order.project === project) this.#advanceOne(order)
  }

  /** Ports of those that have processes: where they were seen listening, and those that were meant for them. */
  portsOf(project: string, keys: readonly string[]): NonNullable<Order['ports']> {
    return keys.flatMap((key) => {
      const instance = this.#records.instance({ project, key })
      const place = this.#records.place({ project, key })
      if (instance === undefined || place === null || runOf(instance) === null) return []
      const label = this.#records.label({ project, key })
      const own = instance.memory.ports.map((port) => ({ key, label, port, isOwn: true }))
      const { port } = place.instance
      return port === null || instance.memory.ports.includes(port) ? own : [...own, { key, label, port, isOwn: false }]
    })
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#timers.values()) cancel()
  }

  /** A later order of the opposite kind takes over; two that want the same go on side by side. */
  #accept(order: Order): void {
    for (const earlier of this.#records.state.orders.values()) {
      const conflicts = earlier.project === order.project && (earlier.kind === 'stop') !== (order.kind === 'stop')
      const taken = conflicts ? earlier.keys.filter((key) => order.keys.includes(key)) : []
      if (taken.length === 0) continue
      const superseded = { ...earlier.superseded, ...Object.fromEntries(taken.map((key) => [key, order.kind])) }
      this.#records.record(null, [{ kind: 'order', order: { ...earlier, superseded } }])
    }
    const { id, kind, project, keys } = order
    const services = keys.map((key) => this.#records.label({ project, key }))
    this.#records.record({ type: 'order.accepted', project, order: id, kind, services }, [{ kind: 'order', order }])
  }

  #advanceOne(order: Order): void {
    const progress = this.#progressOf(order)
    if (progress.open) return
    if (order.ports === undefined || order.ports.length === 0 || progress.outcome === 'superseded') {
      return this.#endOrder(order, progress.outcome, progress.problems)
    }
    // Everything is down: its ports must be free, too.
    if (this.#verified.has(order.id)) return
    this.#verified.add(order.id)
    const { id, ports } = order
    this.#records.afterwards(() => this.#inBackground(this.#endStop(id, ports)))
  }

  #progressOf(order: Order): OrderProgress {
    const record = this.#records.project(order.project)
    return progressOf(order, {
      instances: record.instances,
      pending: record.pending,
      blockedBy: (key) => blockerOf(key, record),
      labelOf: (key) => this.#records.label({ project: order.project, key }),
    })
  }

  /** Names who still listens on a port of what was stopped; a port that was the service's own is left over. */
  async #endStop(id: string, ports: NonNullable<Order['ports']>): Promise<void> {
    const held = await this.#heldPorts(new Set(ports.map(({ port }) => port)))
    const order = this.#records.state.orders.get(id)
    this.#verified.delete(id)
    if (order === undefined || this.#records.isClosed) return
    const progress = this.#progressOf(order)
    if (progress.open) return
    if (progress.outcome === 'superseded') {
      return this.#records.atomically(() => this.#endOrder(order, progress.outcome, progress.problems))
    }
    const listening = ports.flatMap(({ label, port, isOwn }) => {
      const holder = held.get(port)
      return holder === undefined ? [] : [{ isOwn, text: `${label}: ${holder} listens on port ${port}` }]
    })
    const isLeft = progress.outcome === 'failed' || listening.some(({ isOwn }) => isOwn)
    const problems = [...progress.problems, ...listening.map(({ text }) => text)]
    this.#records.atomically(() => this.#endOrder(order, isLeft ? 'failed' : 'done', problems))
  }

  /** None, when that cannot be found out: it must not keep a stop from ending. */
  async #heldPorts(ports: ReadonlySet<number>): Promise<ReadonlyMap<number, string>> {
    try {
      return await this.#deps.heldPorts(ports)
    } catch (error) {
      this.#deps.logger.log('warn', 'Cannot see who listens on the ports of what was stopped', { error })
      return new Map()
    }
  }

  #endOrder(order: Order, outcome: OrderOutcome, problems: readonly string[]): void {
    this.#timers.get(order.id)?.()
    this.#timers.delete(order.id)
    const { id, kind, project } = order
    const { foreground } = this.#records.project(project)
    const held = foreground?.order === id
    this.#records.record(
      {
        type: 'order.ended',
        project,
        order: id,
        kind,
        outcome,
        problems,
        ...(held ? { exit_code: foreground.exitCode ?? 0 } : {}),
      },
      [{ kind: 'order-ended', order: { id, kind, project, outcome, problems } }],
    )
    if (!held) return
    this.#foreground.forget(id)
    this.#records.record(null, [{ kind: 'foreground', project, foreground: null }])
  }
}

function isUp(instance: Instance | undefined): boolean {
  const state = instance?.state
  if (state?.id === 'running') return state.healthy
  return state?.id === 'completed' || state?.id === 'serving' || state?.id === 'scheduled' || state?.id === 'idle'
}
