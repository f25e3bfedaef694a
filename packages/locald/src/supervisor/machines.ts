// Feeds the service machines, and follows what becomes possible by each of their steps: effects, ends whose turn has come,
// starts whose dependencies are met.
import { unreachable } from '../lib/unreachable.ts'
import { instanceKey, splitInstanceKey } from '../plan/instance-key.ts'
import { dependencyVerdict, dependentsOf } from './dependencies.ts'
import { isActive, runOf } from './instance.ts'
import type { Instance, Run } from './instance.ts'
import { isLeaving, keysOf, slotId } from './place.ts'
import type { Slot } from './place.ts'
import type { Records } from './records.ts'
import { next } from './service-machine.ts'
import type { MachineInput } from './service-machine.ts'
import type { Change, PendingEnd } from './state.ts'
import type { NewEvent, SupervisorDependencies } from './supervisor-dependencies.ts'

/** Has the machine of an instance take a step, with all that follows from it. */
export type ApplyInput = (slot: Slot, input: MachineInput) => void

/** Those who carry out what follows from a step. */
export interface Followers {
  readonly launch: (slot: Slot, run: Run) => void
  readonly end: (slot: Slot, run: Run) => void
  /** Its state is another one. */
  readonly attend: (slot: Slot) => void
  /** It exited without having been asked to, or failed. */
  readonly exited: (slot: Slot, instance: Instance) => void
  /** It is no longer part of the project. */
  readonly forget: (slot: Slot) => void
  /** Something of this project has changed: perhaps an order is over. */
  readonly advanceOrders: (project: string) => void
}

/** One machine for each instance; the state of all of them is in the records. */
export class Machines {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'clock' | 'newRunId'>
  readonly #followers: Followers
  /** The unmet dependencies last told of a waiting instance. */
  readonly #told = new Map<string, string>()
  /** While an order is being given out: nothing follows from the half of it. */
  #isHeldBack = false

  constructor(records: Records, deps: SupervisorDependencies, followers: Followers) {
    this.#records = records
    this.#deps = deps
    this.#followers = followers
  }

  /** `fact`: the number of the fact that the input comes from. */
  apply(slot: Slot, input: MachineInput, fact?: number): void {
    this.#records.atomically(() => this.#step(slot, input, fact))
  }

  #step(slot: Slot, input: MachineInput, fact?: number): void {
    const before = this.#records.instance(slot)
    if (before === undefined || this.#records.isClosed) return
    const step = next(before, input, this.#records.settings(slot), this.#deps.clock.now())
    if (step.instance !== before || fact !== undefined) {
      const { project, key } = slot
      const change: Change = {
        kind: 'instance',
        project,
        key,
        instance: step.instance,
        ...(fact === undefined ? {} : { fact }),
      }
      this.#records.recordInstance(slot, step.event, change)
    }
    for (const effect of step.effects) {
      this.#records.afterwards(() =>
        effect.type === 'spawn' ? this.#followers.launch(slot, effect.run) : this.#followers.end(slot, effect.run),
      )
    }
    if (step.instance === before) return
    this.#followers.attend(slot)
    this.#afterChange(slot, before, step.instance)
  }

  #afterChange(slot: Slot, before: Instance, after: Instance): void {
    const record = this.#records.project(slot.project)
    const { service } = splitInstanceKey(slot.key)
    if (after.state.id === 'stopping' && before.state.id !== 'stopping' && after.memory.wanted) {
      this.#restartWith(slot.project, service)
    }
    this.#tellAddresses(slot, before, after)
    // One that was asked to end, to be started again, is not the end of a foreground `start`.
    const exited = after.state.id === 'stopping' && after.state.exit !== null && after.state.signalled === null
    if ((exited || after.state.id === 'failed') && before.state !== after.state) this.#followers.exited(slot, after)
    if (!isActive(after) && isLeaving(record.planned, slot.key)) this.#remove(slot)
    this.advance(slot.project)
  }

  /** Dependents that asked for it are restarted with what they depend on. */
  #restartWith(project: string, service: string): void {
    const { planned, instances } = this.#records.project(project)
    for (const dependent of planned.plan.services) {
      if (!dependent.dependsOn.some((d) => d.service === service && d.restartWith)) continue
      for (const { instance } of dependent.instances) {
        const key = instanceKey(dependent.name, instance)
        const state = instances.get(key)?.state.id
        if (state === 'running' || state === 'starting') this.#records.setPending(project, key, 'restart')
      }
    }
  }

  /** Who was told an old port is a warning of the service that was found at another: it begins and ends with a run. */
  #tellAddresses(slot: Slot, before: Instance, after: Instance): void {
    if ((runOf(before) === null) === (runOf(after) === null)) return
    const { planned, instances } = this.#records.project(slot.project)
    const told = runOf(after) === null ? before.memory.told : after.memory.told
    for (const [service, port] of Object.entries(told)) {
      const key = instanceKey(service, 1)
      const found = instances.get(key)?.memory.ports[0]
      const isPlanned = planned.plan.services.some((s) => s.name === service)
      if (isPlanned && found !== undefined && found !== port) {
        this.#records.recordInstance({ project: slot.project, key }, 'service.updated', null)
      }
    }
  }

  #remove(slot: Slot): void {
    const snapshot = this.#records.snapshot(slot)
    const { project, key } = slot
    this.#followers.forget(slot)
    this.#records.setPending(project, key, null)
    const event: NewEvent | null =
      snapshot === null ? null : { type: 'service.removed', project, ...splitInstanceKey(key), snapshot }
    this.#records.record(event, [{ kind: 'instance', project, key, instance: null }])
  }

  /** Whatever may have become possible by the last change: ends whose turn has come, starts, orders that are over. */
  advance(project: string): void {
    const record = this.#records.state.projects.get(project)
    if (record === undefined || this.#records.isClosed || this.#isHeldBack) return
    for (const [key, end] of record.pending) this.#advanceEnd({ project, key }, end)
    for (const [key, instance] of record.instances) {
      if (instance.state.id === 'waiting' && !record.pending.has(key)) this.#advanceStart({ project, key })
    }
    this.#followers.advanceOrders(project)
  }

  #advanceStart(slot: Slot): void {
    const place = this.#records.place(slot)
    if (place === null) return
    const verdict = dependencyVerdict(place.service, this.#records.project(slot.project))
    switch (verdict.verdict) {
      case 'met':
        this.#told.delete(slotId(slot))
        return this.apply(slot, { type: 'dependencies-met', run: this.#deps.newRunId() })
      case 'failed':
        return this.apply(slot, { type: 'dependency-failed', reason: verdict.reason })
      case 'waiting': {
        this.#wake(slot.project, verdict.unmet)
        const news = verdict.unmet.map((u) => `${u.service} ${u.reason}`).join('\n')
        if (this.#told.get(slotId(slot)) === news) return
        this.#told.set(slotId(slot), news)
        return this.#records.recordInstance(slot, 'service.updated', null)
      }
      default:
        return unreachable(verdict)
    }
  }

  /** Those that are idle are wanted now. */
  #wake(project: string, unmet: readonly { readonly key: string }[]): void {
    const { instances, pending } = this.#records.project(project)
    for (const { key } of unmet) {
      const state = instances.get(key)?.state
      const isIdle = state?.id === 'idle' || (state?.id === 'stopping' && state.afterwards === 'idle')
      if (isIdle && !pending.has(key)) this.apply({ project, key }, { type: 'wanted' })
    }
  }

  /** The turn of a pending end has come when no dependent that is to be ended too has processes any more. */
  #advanceEnd(slot: Slot, end: PendingEnd): void {
    const { planned, pending, instances } = this.#records.project(slot.project)
    const isInTheWay = (key: string): boolean => {
      const instance = instances.get(key)
      if (instance === undefined || runOf(instance) === null) return false
      return pending.has(key) || instance.state.id === 'stopping'
    }
    const dependents = dependentsOf(planned.plan, splitInstanceKey(slot.key).service)
    if (keysOf(planned.plan, dependents).some(isInTheWay)) return
    this.#records.setPending(slot.project, slot.key, null)
    this.apply(slot, { type: end })
  }

  /** Only when all of it is done is looked at what follows. */
  atOnce(project: string, work: () => void): void {
    this.holdBack(work)
    this.advance(project)
  }

  /** Nothing follows from what `work` changes before somebody calls `advance`. */
  holdBack(work: () => void): void {
    this.#isHeldBack = true
    try {
      work()
    } finally {
      this.#isHeldBack = false
    }
  }

  /** Nothing of these starts any more, and those with processes are ended when their turn has come. */
  retire(project: string, keys: readonly string[]): void {
    for (const key of keys) {
      this.apply({ project, key }, { type: 'retire' })
      const state = this.#records.instance({ project, key })?.state.id
      if (state === 'starting' || state === 'running') this.#records.setPending(project, key, 'stop')
    }
  }
}
