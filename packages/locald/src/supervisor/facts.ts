// What keeper and engines tell of runs, passed on to the machines: in order, and each once.
import type { ContainerFact } from '../container/container-order.ts'
import type { Fact } from '../keeper/protocol.ts'
import { microseconds } from '../lib/microseconds.ts'
import { unreachable } from '../lib/unreachable.ts'
import type { Attendance } from './attendance.ts'
import type { InBackground } from './in-background.ts'
import type { Machines } from './machines.ts'
import type { Slot } from './place.ts'
import type { Records } from './records.ts'
import type { MachineInput } from './service-machine.ts'
import type { SupervisorDependencies } from './supervisor-dependencies.ts'

interface FactParts {
  readonly machines: Pick<Machines, 'apply'>
  readonly attendance: Pick<Attendance, 'notified'>
  readonly inBackground: InBackground
}

/** What one EXTEND_TIMEOUT_USEC can ask for. */
const longestExtensionMs = 24 * 60 * 60 * 1000

/** Call with facts in the order of their numbers. */
export class Facts {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'keeper' | 'containers' | 'clock'>
  readonly #machines: FactParts['machines']
  readonly #attendance: FactParts['attendance']
  readonly #inBackground: InBackground
  /** The last fact that is to be acknowledged; null: all are. */
  #unacknowledged: number | null = null

  constructor(records: Records, deps: SupervisorDependencies, { machines, attendance, inBackground }: FactParts) {
    this.#records = records
    this.#deps = deps
    this.#machines = machines
    this.#attendance = attendance
    this.#inBackground = inBackground
  }

  /** Facts of the keeper, in order; those already applied are passed over. */
  take(fact: Fact): void {
    if (!this.#records.isClosed) this.#records.atomically(() => this.takeOne(fact))
  }

  /** As part of something that is being stored as a whole. */
  takeOne(fact: Fact): void {
    if (fact.seq > this.#records.state.fact.seq) {
      const slot = this.#records.slotOf(fact.run)
      if (slot === null) this.#records.record(null, [{ kind: 'fact', seq: fact.seq }])
      else {
        this.#machines.apply(slot, inputOf(fact), fact.seq)
        if (isReadiness(fact)) this.#attendance.notified(slot)
        if (fact.type === 'notified') this.#extendEnd(slot, fact)
      }
    }
    this.#records.afterwards(() => this.#acknowledge(fact.seq))
  }

  /** A container is ended here; for a process the keeper has seen to it already. */
  #extendEnd(slot: Slot, { run, fields, at }: Fact & { readonly type: 'notified' }): void {
    const extension = microseconds(fields['EXTEND_TIMEOUT_USEC'])
    const state = this.#records.instance(slot)?.state
    if (extension === null || state?.id !== 'stopping' || state.run.container === undefined) return
    const ms = Math.min(extension, longestExtensionMs) - (this.#deps.clock.now() - at)
    this.#records.afterwards(() => this.#deps.containers.extendEnd(run, ms))
  }

  /** Facts that come together are acknowledged together: the last stands for all before it. */
  #acknowledge(seq: number): void {
    const isAsked = this.#unacknowledged !== null
    this.#unacknowledged = seq
    if (isAsked) return
    queueMicrotask(() => {
      const last = this.#unacknowledged ?? seq
      this.#unacknowledged = null
      this.#inBackground(this.#deps.keeper.request('ack', { seq: last }))
    })
  }

  /** What became of a container. Some of it may have been told to an earlier daemon. */
  containerFact(fact: ContainerFact): void {
    const slot = this.#records.slotOf(fact.run)
    const state = slot === null ? undefined : this.#records.instance(slot)?.state
    if (slot === null || state === undefined || this.#records.isClosed) return
    const { run } = fact
    const hasExited = state.id === 'stopping' && state.exit !== null
    switch (fact.type) {
      case 'exited': {
        const { code, signal, reason, at } = fact
        if (!hasExited) this.#machines.apply(slot, { type: 'exited', run, code, signal, reason, at, members: 0 })
        return
      }
      case 'killed':
        return this.#machines.apply(slot, { type: 'killed', run })
      case 'emptied':
        return this.#machines.apply(slot, { type: 'emptied', run, survivors: fact.survivors })
      case 'lost':
        return this.#machines.apply(slot, { type: 'lost', run, isGone: true })
      default:
        unreachable(fact)
    }
  }

  /** What the start of a container waits for. */
  containerProgress(run: string, message: string): void {
    const slot = this.#records.slotOf(run)
    if (slot !== null && !this.#records.isClosed) this.#machines.apply(slot, { type: 'preparing', run, message })
  }
}

function isReadiness(fact: Fact): boolean {
  return fact.type === 'notified' && fact.fields['READY'] === '1'
}

function inputOf(fact: Fact): MachineInput {
  const { run, at } = fact
  switch (fact.type) {
    case 'spawned':
      return { type: 'spawned', run, identity: fact.identity, at }
    case 'exited':
      return { type: 'exited', run, code: fact.code, signal: fact.signal, at, members: fact.members.length }
    case 'killed':
      return { type: 'killed', run }
    case 'emptied':
      return { type: 'emptied', run, survivors: fact.survivors.map((s) => `${s.pid} (${s.command}): ${s.reason}`) }
    case 'notified':
      return { type: 'notified', run, fields: fact.fields, sender: fact.sender, at }
    case 'notify-refused': {
      const { reason, fields, sender, count } = fact
      return { type: 'notify-refused', run, reason, fields, sender, count, at }
    }
    case 'watchdog':
      return { type: 'watchdog', run, is: fact.is, periodMs: fact.periodMs }
    default:
      return unreachable(fact)
  }
}
