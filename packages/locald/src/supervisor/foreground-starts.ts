// `start` in the foreground: it lasts as long as somebody holds it open and, foreman's way, until the first service exits.
import { runsToItsEnd } from '../plan/service-kind.ts'
import { constants } from 'node:os'
import type { Instance } from './instance.ts'
import type { Machines } from './machines.ts'
import type { Slot } from './place.ts'
import type { Records } from './records.ts'
import type { SupervisorDependencies } from './supervisor-dependencies.ts'

/** A foreground `start` without a client for this long is stopped. */
const foregroundGraceMs = 5_000
const interrupted = 130

/** At most one for a project. */
export class ForegroundStarts implements Disposable {
  readonly #records: Records
  readonly #deps: Pick<SupervisorDependencies, 'clock'>
  readonly #machines: Pick<Machines, 'atOnce' | 'retire'>
  /** By order. */
  readonly #clients = new Map<string, number>()
  readonly #timers = new Map<string, () => void>()

  constructor(records: Records, deps: SupervisorDependencies, machines: Pick<Machines, 'atOnce' | 'retire'>) {
    this.#records = records
    this.#deps = deps
    this.#machines = machines
  }

  /** Clients that hold a foreground `start` open: one more, one less, or 0 to begin waiting for the first. */
  client(project: string, order: string, change: 1 | 0 | -1): void {
    const clients = (this.#clients.get(order) ?? 0) + change
    this.#clients.set(order, clients)
    this.#timers.get(order)?.()
    this.#timers.delete(order)
    if (clients > 0) return
    const cancel = this.#deps.clock.at(this.#deps.clock.now() + foregroundGraceMs, () => {
      this.#timers.delete(order)
      this.#clients.delete(order)
      if (this.#records.state.projects.get(project)?.foreground?.order === order) this.#end(project, interrupted)
    })
    this.#timers.set(order, cancel)
  }

  /** Foreman's way: the first exit of anything but a task that succeeded, or of what comes back on request, ends everything. */
  exited(slot: Slot, { state, memory }: Instance): void {
    const { foreground } = this.#records.project(slot.project)
    if (foreground === null || foreground.restart || foreground.exitCode !== null || !memory.wanted) return
    const { exit } = memory
    const config = this.#records.place(slot)?.service.config
    if (config?.schedule !== undefined) return
    const endsByItself = config !== undefined && (runsToItsEnd(config) || config.start === 'on-request')
    if (endsByItself && exit?.code === 0 && state.id !== 'failed') return
    this.#end(slot.project, exitCodeOf(state.id === 'failed', exit))
  }

  #end(project: string, exitCode: number): void {
    const { foreground, instances } = this.#records.project(project)
    if (foreground === null) return
    this.#records.atomically(() => {
      this.#records.record(null, [{ kind: 'foreground', project, foreground: { ...foreground, exitCode } }])
      this.#machines.atOnce(project, () => this.#machines.retire(project, [...instances.keys()]))
    })
  }

  /** Its order has ended. */
  forget(order: string): void {
    this.#timers.get(order)?.()
    this.#timers.delete(order)
    this.#clients.delete(order)
  }

  [Symbol.dispose](): void {
    for (const cancel of this.#timers.values()) cancel()
  }
}

function exitCodeOf(failed: boolean, exit: Instance['memory']['exit']): number {
  if (exit?.code !== null && exit?.code !== undefined) return failed && exit.code === 0 ? 1 : exit.code
  const signal = exit?.signal ?? null
  const number = Object.entries(constants.signals).find(([name]) => name === signal)?.[1]
  return number === undefined ? 1 : 128 + number
}
